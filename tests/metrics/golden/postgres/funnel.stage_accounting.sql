SELECT
  'all' AS "group",
  pipeline,
  stage,
  stage_order,
  outcome,
  inflow,
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
  outcome,
  inflow,
  COUNT(*) AS n
FROM stays
GROUP BY
  1,
  2,
  3,
  4,
  5,
  6;
