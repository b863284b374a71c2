SELECT
  pipeline,
  stage,
  stage_order,
  COUNT(*) AS n_entered
FROM stays
WHERE
  entered_on BETWEEN ? AND ?
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
  pipeline NULLS LAST,
  stage_order NULLS LAST;
