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
