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

SELECT
  MAX(exit_age) AS days
FROM deals
WHERE
  cause IN (1, 2);

SELECT
  COUNT(*) AS n
FROM deals
WHERE
  cause = 0 AND exit_age > %s;

SELECT
  owner,
  COUNT(*) AS n,
  SUM(CASE WHEN cause = 0 THEN 1 ELSE 0 END) AS n_open
FROM deals
WHERE
  NOT cause IS NULL AND NOT owner IS NULL
GROUP BY
  1;

SELECT
  person_id
FROM people
WHERE
  NOT left_on IS NULL;

SELECT
  person_id,
  name
FROM people;
