SELECT
  CASE
    WHEN status = 'removed'
    THEN 'removed'
    WHEN created_on IS NULL
    THEN 'no_created_on'
    ELSE 'used'
  END AS reason,
  COUNT(*) AS n_deals
FROM deals
GROUP BY
  1;
