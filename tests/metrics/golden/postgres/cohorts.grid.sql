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
