SELECT
  pipeline,
  status,
  stage,
  COUNT(*) AS n_deals,
  SUM(amount) AS amount
FROM deals
GROUP BY
  1,
  2,
  3;

SELECT
  d.pipeline AS pipeline,
  s.stage AS stage,
  COUNT(*) AS n_deals,
  SUM(d.amount) AS amount
FROM deals AS d
LEFT JOIN stays AS s
  ON s.deal_key = d.deal_key AND s.outcome = 'open'
WHERE
  d.status = 'open'
GROUP BY
  1,
  2;

SELECT
  pipeline,
  stage,
  stage_order
FROM stages
WHERE
  NOT is_won AND NOT is_lost;
