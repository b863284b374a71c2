SELECT
  owner AS "group",
  "source",
  COUNT(*) AS n_deals,
  SUM(CASE WHEN cause = 1 AND exit_age <= %s THEN 1 ELSE 0 END) AS n_won
FROM deals
WHERE
  status <> 'removed' AND NOT owner IS NULL AND days_since_created >= %s
GROUP BY
  1,
  2;
