SELECT
  "team" AS "group",
  pipeline,
  stage,
  stage_order,
  exit_age,
  cause,
  COUNT(*) AS n
FROM first_visits
WHERE
  is_removed = 0 AND days_since_entered < %s
GROUP BY
  1,
  2,
  3,
  4,
  5,
  6;

WITH starts AS (
  SELECT
    deal_key,
    pipeline,
    MIN(entered_on) AS entered_on,
    MAX(days_since_entered) AS days
  FROM first_visits
  WHERE
    is_removed = 0
  GROUP BY
    deal_key,
    pipeline
)
SELECT
  s.pipeline AS pipeline,
  d.cause AS cause,
  CASE
    WHEN d.cause = 0
    THEN s.days
    ELSE (
      CAST(d.closed_on AS DATE) - CAST(s.entered_on AS DATE)
    )
  END AS age,
  COUNT(*) AS n
FROM starts AS s
JOIN deals AS d
  ON d.deal_key = s.deal_key
WHERE
  NOT d.cause IS NULL AND s.days < %s
GROUP BY
  1,
  2,
  3;

SELECT
  MAX(days_since_entered) AS days
FROM first_visits;

WITH starts AS (
  SELECT
    deal_key,
    pipeline,
    MIN(entered_on) AS entered_on,
    MAX(days_since_entered) AS days
  FROM first_visits
  WHERE
    is_removed = 0
  GROUP BY
    deal_key,
    pipeline
)
SELECT
  v.pipeline AS pipeline,
  v.stage AS stage,
  v.stage_order AS stage_order,
  COUNT(*) AS n_through
FROM first_visits AS v
JOIN starts AS s
  ON s.deal_key = v.deal_key AND s.pipeline = v.pipeline
JOIN deals AS d
  ON d.deal_key = v.deal_key
WHERE
  d.cause = 1 AND s.days < %s
GROUP BY
  1,
  2,
  3;

SELECT
  pipeline,
  SUM(amount) AS amount,
  COUNT(amount) AS n
FROM deals
WHERE
  cause = 1 AND days_since_created - exit_age < %s
GROUP BY
  1;
