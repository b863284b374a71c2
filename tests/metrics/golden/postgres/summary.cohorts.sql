SELECT
  exit_age,
  cause,
  COUNT(*) AS n
FROM deals
WHERE
  NOT cause IS NULL AND exit_age >= 0 AND created_on >= %s AND created_on <= %s
GROUP BY
  1,
  2
ORDER BY
  1,
  2;

SELECT
  COUNT(*) AS n
FROM deals
WHERE
  cause IN (0, 2);

SELECT
  MIN(created_on) AS day
FROM deals
WHERE
  NOT cause IS NULL;

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
  created_on >= %s AND NOT cause IS NULL
GROUP BY
  1,
  2;

SELECT
  created_on,
  COUNT(*) AS n
FROM deals
WHERE
  created_on < %s AND NOT cause IS NULL
GROUP BY
  1;
