SELECT
  COUNT(*) AS n
FROM details
WHERE
  NOT expected_close IS NULL
UNION ALL
SELECT
  COUNT(*) AS n
FROM changes
WHERE
  field = 'expected_close';

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
  d.deal_key,
  e.deal_id,
  e.account,
  d.owner,
  d.team,
  d.status,
  d.stage,
  d.amount,
  d.created_on,
  d.closed_on,
  e.expected_close,
  e.n_pushes,
  s.spell,
  s.open_spell,
  s.first_amount
FROM deals AS d
JOIN details AS e
  ON e.deal_key = d.deal_key
JOIN (
  SELECT
    deal_key,
    MAX(spell) AS spell,
    MAX(CASE WHEN status = 'open' THEN spell ELSE 0 END) AS open_spell,
    MAX(CASE WHEN spell = 1 THEN amount END) AS first_amount
  FROM state_spells
  GROUP BY
    1
) AS s
  ON s.deal_key = d.deal_key
ORDER BY
  d.deal_key;

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
