SELECT
  'all' AS "group",
  pipeline,
  COUNT(*) AS n_cohort,
  SUM(amount) AS amount_cohort,
  SUM(CASE WHEN cause = 1 AND exit_age <= %s THEN 1 ELSE 0 END) AS n_won,
  SUM(CASE WHEN cause = 1 AND exit_age <= %s THEN amount ELSE 0 END) AS amount_won
FROM deals
WHERE
  status <> 'removed' AND days_since_created >= %s
GROUP BY
  1,
  2;

SELECT
  'all' AS "group",
  v.pipeline AS pipeline,
  v.stage AS stage,
  v.stage_order AS stage_order,
  SUM(CASE WHEN v.age_at_entry <= %s THEN 1 ELSE 0 END) AS n_reached,
  SUM(CASE WHEN v.age_all_before <= %s THEN 1 ELSE 0 END) AS n_reached_all,
  SUM(CASE WHEN v.age_at_entry <= %s THEN d.amount ELSE 0 END) AS amount_reached
FROM first_visits AS v
JOIN deals AS d
  ON d.deal_key = v.deal_key AND d.pipeline = v.pipeline
WHERE
  d.status <> 'removed' AND d.days_since_created >= %s
GROUP BY
  1,
  2,
  3,
  4;

SELECT
  pipeline,
  stage,
  stage_order
FROM stages
WHERE
  NOT is_won AND NOT is_lost;

SELECT
  stage
FROM stages
WHERE
  is_won
ORDER BY
  stage_no;

WITH reach AS (
  SELECT
    deal_key,
    pipeline,
    MAX(stage_order) AS furthest
  FROM first_visits
  WHERE
    is_removed = 0 AND days_since_created >= %s AND age_at_entry <= %s
  GROUP BY
    deal_key,
    pipeline
)
SELECT
  'all' AS "group",
  d.pipeline AS pipeline,
  CASE
    WHEN d.cause = 1 AND d.exit_age <= %s
    THEN 9223372036854775807
    ELSE COALESCE(r.furthest, 0)
  END AS furthest,
  COUNT(*) AS n
FROM deals AS d
LEFT JOIN reach AS r
  ON r.deal_key = d.deal_key AND r.pipeline = d.pipeline
WHERE
  d.status <> 'removed' AND d.days_since_created >= %s
GROUP BY
  1,
  2,
  3;

SELECT
  "region" AS "group",
  pipeline,
  COUNT(*) AS n_cohort,
  SUM(amount) AS amount_cohort,
  SUM(CASE WHEN cause = 1 AND exit_age <= %s THEN 1 ELSE 0 END) AS n_won,
  SUM(CASE WHEN cause = 1 AND exit_age <= %s THEN amount ELSE 0 END) AS amount_won
FROM deals
WHERE
  status <> 'removed' AND days_since_created >= %s
GROUP BY
  1,
  2;

SELECT
  d."region" AS "group",
  v.pipeline AS pipeline,
  v.stage AS stage,
  v.stage_order AS stage_order,
  SUM(CASE WHEN v.age_at_entry <= %s THEN 1 ELSE 0 END) AS n_reached,
  SUM(CASE WHEN v.age_all_before <= %s THEN 1 ELSE 0 END) AS n_reached_all,
  SUM(CASE WHEN v.age_at_entry <= %s THEN d.amount ELSE 0 END) AS amount_reached
FROM first_visits AS v
JOIN deals AS d
  ON d.deal_key = v.deal_key AND d.pipeline = v.pipeline
WHERE
  d.status <> 'removed' AND d.days_since_created >= %s
GROUP BY
  1,
  2,
  3,
  4;

WITH reach AS (
  SELECT
    deal_key,
    pipeline,
    MAX(stage_order) AS furthest
  FROM first_visits
  WHERE
    is_removed = 0 AND days_since_created >= %s AND age_at_entry <= %s
  GROUP BY
    deal_key,
    pipeline
)
SELECT
  d."region" AS "group",
  d.pipeline AS pipeline,
  CASE
    WHEN d.cause = 1 AND d.exit_age <= %s
    THEN 9223372036854775807
    ELSE COALESCE(r.furthest, 0)
  END AS furthest,
  COUNT(*) AS n
FROM deals AS d
LEFT JOIN reach AS r
  ON r.deal_key = d.deal_key AND r.pipeline = d.pipeline
WHERE
  d.status <> 'removed' AND d.days_since_created >= %s
GROUP BY
  1,
  2,
  3;
