SELECT
  s.team AS `group`,
  MIN(d.created_on) AS first_on,
  MAX(d.created_on) AS last_on
FROM deals AS d
JOIN starts AS s
  ON s.deal_key = d.deal_key
WHERE
  NOT s.team IS NULL
GROUP BY
  1;

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
  person_id AS person,
  name,
  team,
  role,
  manager_id AS manager,
  hired_on,
  left_on,
  valid_from
FROM people_history;

SELECT
  d.`region` AS `group`,
  MIN(d.created_on) AS first_on,
  MAX(d.created_on) AS last_on
FROM deals AS d
JOIN starts AS s
  ON s.deal_key = d.deal_key
WHERE
  NOT d.`region` IS NULL
GROUP BY
  1;
