SELECT
  'all' AS "group",
  exit_age,
  cause,
  COUNT(*) AS n
FROM deals
WHERE
  NOT cause IS NULL AND NOT exit_age IS NULL
GROUP BY
  1,
  2,
  3;
