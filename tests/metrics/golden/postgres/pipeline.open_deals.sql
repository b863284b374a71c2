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
  d.cause,
  d.closed_on,
  d.amount,
  d.team,
  p.team AS person_team,
  s.team AS first_team
FROM deals AS d
JOIN starts AS s
  ON s.deal_key = d.deal_key
LEFT JOIN people AS p
  ON p.person_id = s.owner
ORDER BY
  1;

SELECT
  s.deal_key,
  s.entered_at AS begun_at,
  s.entered_on AS day_on,
  s.pos,
  s.pipeline,
  s.stage,
  s.stage_order
FROM stays AS s
JOIN deals AS d
  ON d.deal_key = s.deal_key
WHERE
  NOT d.created_on IS NULL;

SELECT
  s.deal_key,
  s.begun_at,
  s.begun_on AS day_on,
  d.pipeline,
  s.status
FROM state_spells AS s
JOIN deals AS d
  ON d.deal_key = s.deal_key
WHERE
  NOT d.created_on IS NULL;

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
  person_id,
  name
FROM people;
