SELECT
  DATE_TRUNC('MONTH', closed_on) AS month,
  exit_age,
  COUNT(*) AS n
FROM deals
WHERE
  cause = 1 AND NOT exit_age IS NULL
GROUP BY
  1,
  2;
