SELECT
  closed_on,
  COUNT(*) AS n,
  SUM(amount) AS amount
FROM deals
WHERE
  status = 'won'
GROUP BY
  1;

SELECT
  MIN(created_on) AS day
FROM deals;

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
  COUNT(amount) AS n
FROM deals;

SELECT
  holder_type,
  holder_id AS holder,
  period_start,
  period_end,
  value
FROM quotas
WHERE
  measure = 'amount';

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
