SELECT
  CASE
    WHEN status = 'removed'
    THEN 'removed'
    WHEN created_on IS NULL
    THEN 'no_created_on'
    WHEN owner IS NULL AND %s = 1
    THEN 'no_owner'
    WHEN days_since_created < %s
    THEN 'too_young'
    ELSE 'used'
  END AS reason,
  COUNT(*) AS n_deals
FROM deals
GROUP BY
  1;
