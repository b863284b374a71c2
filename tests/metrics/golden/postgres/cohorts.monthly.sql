SELECT
  DATE_TRUNC('MONTH', closed_on) AS month,
  SUM(CASE WHEN cause = 1 THEN 1 ELSE 0 END) AS n_won_closed,
  COUNT(*) AS n_closed
FROM deals
WHERE
  cause IN (1, 2) AND NOT closed_on IS NULL
GROUP BY
  1;

SELECT
  cohort,
  exit_age,
  cause,
  COUNT(*) AS n,
  MIN(days_since_created) AS youngest_days
FROM deals
WHERE
  NOT cause IS NULL AND NOT exit_age IS NULL
GROUP BY
  1,
  2,
  3;
