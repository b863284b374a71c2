SELECT
  "owner" AS "group",
  status,
  COUNT(*) AS n,
  SUM(amount) AS amount,
  SUM(CASE WHEN is_handed THEN 1 ELSE 0 END) AS n_handed
FROM deals
GROUP BY
  1,
  2;

SELECT
  "owner" AS "group",
  exit_age,
  COUNT(*) AS n
FROM deals
WHERE
  cause = 1 AND NOT exit_age IS NULL
GROUP BY
  1,
  2;

SELECT
  person_id,
  name,
  team
FROM people;

SELECT
  "team" AS "group",
  status,
  COUNT(*) AS n,
  SUM(amount) AS amount,
  SUM(CASE WHEN is_handed THEN 1 ELSE 0 END) AS n_handed
FROM deals
GROUP BY
  1,
  2;

SELECT
  "team" AS "group",
  exit_age,
  COUNT(*) AS n
FROM deals
WHERE
  cause = 1 AND NOT exit_age IS NULL
GROUP BY
  1,
  2;
