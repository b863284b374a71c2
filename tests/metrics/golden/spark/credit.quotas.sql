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
