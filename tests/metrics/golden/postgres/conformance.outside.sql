SELECT
  pipeline,
  stage,
  stage_order,
  COUNT(*) AS n_entered
FROM stays
WHERE
  entered_on BETWEEN %s AND %s
GROUP BY
  1,
  2,
  3;

SELECT
  pipeline,
  stage
FROM stages
WHERE
  NOT is_won AND NOT is_lost
ORDER BY
  pipeline,
  stage_order;
