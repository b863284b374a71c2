SELECT
  s.team AS "group",
  MIN(d.created_on) AS first_on,
  MAX(d.created_on) AS last_on
FROM deals AS d
JOIN starts AS s
  ON s.deal_key = d.deal_key
WHERE
  NOT s.team IS NULL
GROUP BY
  1;

SELECT
  MIN(created_on) AS day
FROM deals
WHERE
  NOT cause IS NULL;

SELECT
  MIN(closed_on) AS day
FROM deals
WHERE
  cause IN (1, 2);

SELECT
  exit_age,
  CASE WHEN cause = 0 THEN 0 ELSE 1 END AS is_closed,
  COUNT(*) AS n
FROM deals
WHERE
  created_on >= %s AND NOT cause IS NULL
GROUP BY
  1,
  2;

SELECT
  created_on,
  COUNT(*) AS n
FROM deals
WHERE
  created_on < %s AND NOT cause IS NULL
GROUP BY
  1;

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

SELECT
  MAX(exit_age) AS days
FROM deals
WHERE
  cause IN (1, 2);

SELECT
  COUNT(*) AS n
FROM deals
WHERE
  cause = 0 AND exit_age > %s;

SELECT
  owner,
  COUNT(*) AS n,
  SUM(CASE WHEN cause = 0 THEN 1 ELSE 0 END) AS n_open
FROM deals
WHERE
  NOT cause IS NULL AND NOT owner IS NULL
GROUP BY
  1;

SELECT
  person_id
FROM people
WHERE
  NOT left_on IS NULL;

SELECT
  person_id,
  name
FROM people;

SELECT
  s.team AS "group",
  SUM(CASE WHEN d.created_on >= %s THEN 1 ELSE 0 END) AS n,
  SUM(CASE WHEN d.cause = 1 AND d.closed_on >= %s THEN d.amount END) AS total,
  SUM(
    CASE
      WHEN d.cause = 1 AND d.closed_on >= %s AND NOT d.amount IS NULL
      THEN 1
      ELSE 0
    END
  ) AS n_won
FROM deals AS d
JOIN starts AS s
  ON s.deal_key = d.deal_key
WHERE
  NOT d.cause IS NULL
GROUP BY
  1;

SELECT
  COUNT(amount) AS n
FROM deals
WHERE
  cause = 1;

SELECT DISTINCT
  team
FROM deals
WHERE
  cause = 0 AND NOT team IS NULL;

SELECT
  d."region" AS "group",
  MIN(d.created_on) AS first_on,
  MAX(d.created_on) AS last_on
FROM deals AS d
JOIN starts AS s
  ON s.deal_key = d.deal_key
WHERE
  NOT d."region" IS NULL
GROUP BY
  1;

SELECT
  d."region" AS "group",
  SUM(CASE WHEN d.created_on >= %s THEN 1 ELSE 0 END) AS n,
  SUM(CASE WHEN d.cause = 1 AND d.closed_on >= %s THEN d.amount END) AS total,
  SUM(
    CASE
      WHEN d.cause = 1 AND d.closed_on >= %s AND NOT d.amount IS NULL
      THEN 1
      ELSE 0
    END
  ) AS n_won
FROM deals AS d
JOIN starts AS s
  ON s.deal_key = d.deal_key
WHERE
  NOT d.cause IS NULL
GROUP BY
  1;
