WITH done AS (
  SELECT
    a.deal_key AS deal_key,
    COUNT(*) AS n
  FROM activities AS a
  JOIN deals AS d
    ON d.deal_key = a.deal_key
  WHERE
    NOT a.done_on IS NULL
    AND DATEDIFF(DAY, CAST(d.created_on AS DATE), CAST(a.done_on AS DATE)) >= 0
    AND DATEDIFF(DAY, CAST(d.created_on AS DATE), CAST(a.done_on AS DATE)) <= ?
    AND DATEDIFF(DAY, CAST(d.created_on AS DATE), CAST(a.done_on AS DATE)) <= d.exit_age
  GROUP BY
    1
)
SELECT
  d.source AS source,
  d.segment AS segment,
  d.product AS product,
  d.region AS region,
  d.cause AS cause,
  d.exit_age AS exit_age,
  d.days_since_created AS days_since_created,
  d.amount AS amount,
  COALESCE(o.n, 0) AS n_activities
FROM deals AS d
LEFT JOIN done AS o
  ON o.deal_key = d.deal_key
WHERE
  NOT d.cause IS NULL AND d.exit_age >= 0;
