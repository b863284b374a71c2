SELECT
  MIN(closed_on) AS day
FROM deals
WHERE
  cause IN (1, 2);

SELECT
  exit_age,
  CASE WHEN cause = 0 THEN 0 ELSE 1 END AS is_closed,
  COUNT(*) AS n
FROM deals
WHERE
  created_on >= ? AND NOT cause IS NULL
GROUP BY
  1,
  2;

SELECT
  created_on,
  COUNT(*) AS n
FROM deals
WHERE
  created_on < ? AND NOT cause IS NULL
GROUP BY
  1;

SELECT
  CASE
    WHEN exit_age <= days_since_created - ?
    THEN exit_age
    ELSE days_since_created - ?
  END AS known_age,
  CASE WHEN exit_age <= days_since_created - ? THEN cause ELSE 0 END AS known_cause,
  COUNT(*) AS n
FROM deals
WHERE
  NOT cause IS NULL
  AND NOT exit_age IS NULL
  AND days_since_created >= ?
  AND days_since_created <= ?
GROUP BY
  1,
  2;

SELECT
  days_since_created AS follow_up_days,
  cause,
  COUNT(*) AS n,
  SUM(CASE WHEN cause = 1 THEN exit_age ELSE 0 END) AS sum_days
FROM deals
WHERE
  NOT cause IS NULL
  AND NOT exit_age IS NULL
  AND days_since_created >= ?
  AND days_since_created <= ?
GROUP BY
  1,
  2;
