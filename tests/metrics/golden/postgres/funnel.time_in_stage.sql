SELECT
  'all' AS "group",
  pipeline,
  stage,
  stage_order,
  stay_days,
  CASE WHEN outcome = 'open' THEN 0 ELSE 1 END AS has_left,
  COUNT(*) AS n
FROM stays
GROUP BY
  1,
  2,
  3,
  4,
  5,
  6;

SELECT
  "region" AS "group",
  pipeline,
  stage,
  stage_order,
  stay_days,
  CASE WHEN outcome = 'open' THEN 0 ELSE 1 END AS has_left,
  COUNT(*) AS n
FROM stays
GROUP BY
  1,
  2,
  3,
  4,
  5,
  6;
