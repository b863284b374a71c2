SELECT
  'all' AS `group`,
  pipeline,
  stage,
  stage_order,
  CASE WHEN exit_age > ? THEN ? ELSE exit_age END AS exit_age,
  CASE WHEN exit_age > ? THEN 0 ELSE cause END AS cause,
  COUNT(*) AS n
FROM first_visits
WHERE
  is_removed = 0
GROUP BY
  1,
  2,
  3,
  4,
  5,
  6;

SELECT
  'all' AS `group`,
  v.pipeline AS pipeline,
  v.stage_order AS stage_order,
  SUM(d.amount) AS amount_entered,
  SUM(CASE WHEN v.cause = 1 AND v.exit_age <= ? THEN d.amount ELSE 0 END) AS amount_advanced
FROM first_visits AS v
JOIN deals AS d
  ON d.deal_key = v.deal_key
WHERE
  v.is_removed = 0 AND v.days_since_entered >= ?
GROUP BY
  1,
  2,
  3;

SELECT
  `region` AS `group`,
  pipeline,
  stage,
  stage_order,
  CASE WHEN exit_age > ? THEN ? ELSE exit_age END AS exit_age,
  CASE WHEN exit_age > ? THEN 0 ELSE cause END AS cause,
  COUNT(*) AS n
FROM first_visits
WHERE
  is_removed = 0
GROUP BY
  1,
  2,
  3,
  4,
  5,
  6;

SELECT
  v.`region` AS `group`,
  v.pipeline AS pipeline,
  v.stage_order AS stage_order,
  SUM(d.amount) AS amount_entered,
  SUM(CASE WHEN v.cause = 1 AND v.exit_age <= ? THEN d.amount ELSE 0 END) AS amount_advanced
FROM first_visits AS v
JOIN deals AS d
  ON d.deal_key = v.deal_key
WHERE
  v.is_removed = 0 AND v.days_since_entered >= ?
GROUP BY
  1,
  2,
  3;
