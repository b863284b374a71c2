SELECT
  "region" AS "group",
  pipeline,
  stage,
  stage_order,
  CASE WHEN exit_age > %s THEN %s ELSE exit_age END AS exit_age,
  CASE WHEN exit_age > %s THEN 0 ELSE cause END AS cause,
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
  "product" AS "group",
  pipeline,
  stage,
  stage_order,
  CASE WHEN exit_age > %s THEN %s ELSE exit_age END AS exit_age,
  CASE WHEN exit_age > %s THEN 0 ELSE cause END AS cause,
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
  "team" AS "group",
  pipeline,
  stage,
  stage_order,
  CASE WHEN exit_age > %s THEN %s ELSE exit_age END AS exit_age,
  CASE WHEN exit_age > %s THEN 0 ELSE cause END AS cause,
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
  "owner" AS "group",
  pipeline,
  stage,
  stage_order,
  CASE WHEN exit_age > %s THEN %s ELSE exit_age END AS exit_age,
  CASE WHEN exit_age > %s THEN 0 ELSE cause END AS cause,
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
  person_id,
  name
FROM people;

SELECT
  "source" AS "group",
  pipeline,
  stage,
  stage_order,
  CASE WHEN exit_age > %s THEN %s ELSE exit_age END AS exit_age,
  CASE WHEN exit_age > %s THEN 0 ELSE cause END AS cause,
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
  "segment" AS "group",
  pipeline,
  stage,
  stage_order,
  CASE WHEN exit_age > %s THEN %s ELSE exit_age END AS exit_age,
  CASE WHEN exit_age > %s THEN 0 ELSE cause END AS cause,
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
