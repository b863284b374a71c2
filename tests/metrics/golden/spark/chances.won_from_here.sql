SELECT
  v.pipeline,
  v.stage,
  CASE
    WHEN d.cause = 0
    THEN v.days_since_entered
    ELSE DATEDIFF(DAY, CAST(v.entered_on AS DATE), CAST(d.closed_on AS DATE))
  END AS age,
  d.cause,
  COUNT(*) AS n
FROM first_visits AS v
JOIN deals AS d
  ON d.deal_key = v.deal_key
WHERE
  NOT d.cause IS NULL
GROUP BY
  1,
  2,
  3,
  4;
