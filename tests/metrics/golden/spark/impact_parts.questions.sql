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
  q.deal_key,
  q.person_id,
  s.team AS `group`,
  q.asked_on,
  q.answered_on,
  q.score,
  q.scale_max
FROM satisfaction AS q
LEFT JOIN deals AS d
  ON d.deal_key = q.deal_key
LEFT JOIN starts AS s
  ON s.deal_key = q.deal_key
ORDER BY
  q.asked_on NULLS LAST,
  q.deal_key NULLS LAST,
  q.person_id NULLS LAST,
  q.answered_on NULLS LAST,
  q.score NULLS LAST;

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

SELECT
  q.deal_key,
  q.person_id,
  d.`region` AS `group`,
  q.asked_on,
  q.answered_on,
  q.score,
  q.scale_max
FROM satisfaction AS q
LEFT JOIN deals AS d
  ON d.deal_key = q.deal_key
LEFT JOIN starts AS s
  ON s.deal_key = q.deal_key
ORDER BY
  q.asked_on NULLS LAST,
  q.deal_key NULLS LAST,
  q.person_id NULLS LAST,
  q.answered_on NULLS LAST,
  q.score NULLS LAST;
