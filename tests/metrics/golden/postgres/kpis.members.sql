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
