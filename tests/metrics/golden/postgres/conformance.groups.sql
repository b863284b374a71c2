SELECT
  pipeline,
  stage
FROM stages
WHERE
  NOT is_won AND NOT is_lost
ORDER BY
  pipeline,
  stage_order;

SELECT
  s.owner,
  s.team,
  s.entered_on,
  s.outcome,
  s.stay_days,
  COUNT(*) AS n
FROM stays AS s
WHERE
  s.stage = %s
  AND s.entered_on <= %s
  AND (
    s.exited_on IS NULL OR s.exited_on >= %s
  )
GROUP BY
  1,
  2,
  3,
  4,
  5;

SELECT
  s.owner,
  s.team,
  CASE WHEN m.deal_key IS NULL OR b.deal_key IS NULL THEN 0 ELSE 1 END AS is_straight,
  COUNT(*) AS n
FROM stays AS s
JOIN (
  SELECT
    s.deal_key,
    MIN(s.pos) AS pos
  FROM stays AS s
  WHERE
    s.stage = %s
  GROUP BY
    s.deal_key
) AS f
  ON f.deal_key = s.deal_key
LEFT JOIN stays AS m
  ON m.deal_key = s.deal_key AND m.pos = s.pos - 1
LEFT JOIN stays AS b
  ON b.deal_key = s.deal_key AND b.pos = s.pos - 2 AND b.stage = %s
WHERE
  s.stage = %s AND s.pos > f.pos AND s.entered_on BETWEEN %s AND %s
GROUP BY
  1,
  2,
  3;

WITH arrivals AS (
  SELECT
    s.deal_key,
    s.pos,
    s.entered_on AS day,
    s.owner,
    s.team,
    s.inflow,
    CASE
      WHEN s.stage_order > (
        SELECT
          k.stage_order
        FROM stages AS k
        WHERE
          k.stage = %s
      )
      THEN 1
      ELSE 0
    END AS is_beyond
  FROM stays AS s
  WHERE
    s.stage_order >= (
      SELECT
        k.stage_order
      FROM stages AS k
      WHERE
        k.stage = %s
    )
  UNION ALL
  SELECT
    s.deal_key,
    s.pos + 1,
    s.exited_on,
    s.owner,
    s.team,
    'won',
    1
  FROM stays AS s
  LEFT JOIN stays AS n
    ON n.deal_key = s.deal_key AND n.pos = s.pos + 1
  WHERE
    s.outcome = 'skipped'
    AND n.deal_key IS NULL
    AND s.stage_order < (
      SELECT
        k.stage_order
      FROM stages AS k
      WHERE
        k.stage = %s
    )
)
SELECT
  a.owner,
  a.team,
  a.is_beyond,
  COUNT(*) AS n
FROM arrivals AS a
JOIN (
  SELECT
    deal_key,
    MIN(pos) AS pos
  FROM arrivals
  GROUP BY
    deal_key
) AS f
  ON f.deal_key = a.deal_key AND f.pos = a.pos
WHERE
  a.inflow <> 'handed_in' AND a.day BETWEEN %s AND %s
GROUP BY
  1,
  2,
  3;

SELECT
  v.owner,
  v.team,
  v.entered_on,
  COUNT(*) AS n_matured,
  SUM(CASE WHEN v.cause = 1 AND v.exit_age <= %s THEN 1 ELSE 0 END) AS n_converted
FROM first_visits AS v
WHERE
  v.stage = %s AND v.is_removed = 0 AND v.days_since_entered >= %s
GROUP BY
  1,
  2,
  3;

SELECT
  type,
  COUNT(*) AS n
FROM activities
GROUP BY
  1
ORDER BY
  2 DESC NULLS LAST,
  1;

SELECT
  owner,
  team,
  entered_on,
  days,
  outcome,
  COUNT(*) AS n,
  SUM(CASE WHEN done_0 >= %s THEN 1 ELSE 0 END) AS k
FROM (
  SELECT
    s.deal_key,
    s.pos,
    s.owner,
    s.team,
    s.entered_on,
    s.outcome,
    CASE WHEN s.stay_days > %s THEN %s ELSE s.stay_days END AS days,
    SUM(CASE WHEN a.type IN (%s, %s) THEN 1 ELSE 0 END) AS done_0
  FROM stays AS s
  LEFT JOIN activities AS a
    ON a.deal_key = s.deal_key
    AND NOT a.done_on IS NULL
    AND (
      CAST(a.done_on AS DATE) - CAST(s.entered_on AS DATE)
    ) BETWEEN 0 AND %s
    AND (
      s.exited_on IS NULL OR a.done_on <= s.exited_on
    )
  WHERE
    s.stage = %s
    AND (
      s.stay_days > %s OR NOT s.outcome IN ('open', 'lost', 'removed')
    )
  GROUP BY
    s.deal_key,
    s.pos,
    s.owner,
    s.team,
    s.entered_on,
    s.outcome,
    s.stay_days
) AS e
GROUP BY
  1,
  2,
  3,
  4,
  5;

SELECT
  owner,
  team,
  entered_on,
  days,
  outcome,
  COUNT(*) AS n,
  SUM(CASE WHEN done_0 >= %s THEN 1 ELSE 0 END) AS k
FROM (
  SELECT
    s.deal_key,
    s.pos,
    s.owner,
    s.team,
    s.entered_on,
    s.outcome,
    CASE WHEN s.stay_days > %s THEN %s ELSE s.stay_days END AS days,
    SUM(CASE WHEN a.type IN (%s) THEN 1 ELSE 0 END) AS done_0
  FROM stays AS s
  LEFT JOIN activities AS a
    ON a.deal_key = s.deal_key
    AND NOT a.done_on IS NULL
    AND (
      CAST(a.done_on AS DATE) - CAST(s.entered_on AS DATE)
    ) BETWEEN 0 AND %s
    AND (
      s.exited_on IS NULL OR a.done_on <= s.exited_on
    )
  WHERE
    s.stage = %s
    AND (
      s.stay_days > %s OR NOT s.outcome IN ('open', 'lost', 'removed')
    )
  GROUP BY
    s.deal_key,
    s.pos,
    s.owner,
    s.team,
    s.entered_on,
    s.outcome,
    s.stay_days
) AS e
GROUP BY
  1,
  2,
  3,
  4,
  5;

SELECT
  person_id,
  name
FROM people;

SELECT
  person_id,
  team
FROM people;

SELECT
  s.owner,
  s.team,
  s.entered_on,
  s.outcome,
  s.stay_days,
  COUNT(*) AS n
FROM stays AS s
WHERE
  s.stage = %s
  AND s.pipeline = %s
  AND s.entered_on <= %s
  AND (
    s.exited_on IS NULL OR s.exited_on >= %s
  )
GROUP BY
  1,
  2,
  3,
  4,
  5;

SELECT
  s.owner,
  s.team,
  CASE WHEN m.deal_key IS NULL OR b.deal_key IS NULL THEN 0 ELSE 1 END AS is_straight,
  COUNT(*) AS n
FROM stays AS s
JOIN (
  SELECT
    s.deal_key,
    MIN(s.pos) AS pos
  FROM stays AS s
  WHERE
    s.stage = %s AND s.pipeline = %s
  GROUP BY
    s.deal_key
) AS f
  ON f.deal_key = s.deal_key
LEFT JOIN stays AS m
  ON m.deal_key = s.deal_key AND m.pos = s.pos - 1
LEFT JOIN stays AS b
  ON b.deal_key = s.deal_key AND b.pos = s.pos - 2 AND b.stage = %s AND b.pipeline = %s
WHERE
  s.stage = %s
  AND s.pipeline = %s
  AND s.pos > f.pos
  AND s.entered_on BETWEEN %s AND %s
GROUP BY
  1,
  2,
  3;

WITH arrivals AS (
  SELECT
    s.deal_key,
    s.pos,
    s.entered_on AS day,
    s.owner,
    s.team,
    s.inflow,
    CASE
      WHEN s.stage_order > (
        SELECT
          k.stage_order
        FROM stages AS k
        WHERE
          k.stage = %s AND k.pipeline = %s
      )
      THEN 1
      ELSE 0
    END AS is_beyond
  FROM stays AS s
  WHERE
    s.stage_order >= (
      SELECT
        k.stage_order
      FROM stages AS k
      WHERE
        k.stage = %s AND k.pipeline = %s
    )
    AND s.pipeline = %s
  UNION ALL
  SELECT
    s.deal_key,
    s.pos + 1,
    s.exited_on,
    s.owner,
    s.team,
    'won',
    1
  FROM stays AS s
  LEFT JOIN stays AS n
    ON n.deal_key = s.deal_key AND n.pos = s.pos + 1
  WHERE
    s.outcome = 'skipped'
    AND n.deal_key IS NULL
    AND s.stage_order < (
      SELECT
        k.stage_order
      FROM stages AS k
      WHERE
        k.stage = %s AND k.pipeline = %s
    )
    AND s.pipeline = %s
)
SELECT
  a.owner,
  a.team,
  a.is_beyond,
  COUNT(*) AS n
FROM arrivals AS a
JOIN (
  SELECT
    deal_key,
    MIN(pos) AS pos
  FROM arrivals
  GROUP BY
    deal_key
) AS f
  ON f.deal_key = a.deal_key AND f.pos = a.pos
WHERE
  a.inflow <> 'handed_in' AND a.day BETWEEN %s AND %s
GROUP BY
  1,
  2,
  3;

SELECT
  v.owner,
  v.team,
  v.entered_on,
  COUNT(*) AS n_matured,
  SUM(CASE WHEN v.cause = 1 AND v.exit_age <= %s THEN 1 ELSE 0 END) AS n_converted
FROM first_visits AS v
WHERE
  v.stage = %s
  AND v.pipeline = %s
  AND v.is_removed = 0
  AND v.days_since_entered >= %s
GROUP BY
  1,
  2,
  3;

SELECT
  owner,
  team,
  entered_on,
  days,
  outcome,
  COUNT(*) AS n,
  SUM(CASE WHEN done_0 >= %s THEN 1 ELSE 0 END) AS k
FROM (
  SELECT
    s.deal_key,
    s.pos,
    s.owner,
    s.team,
    s.entered_on,
    s.outcome,
    CASE WHEN s.stay_days > %s THEN %s ELSE s.stay_days END AS days,
    SUM(CASE WHEN a.type IN (%s, %s) THEN 1 ELSE 0 END) AS done_0
  FROM stays AS s
  LEFT JOIN activities AS a
    ON a.deal_key = s.deal_key
    AND NOT a.done_on IS NULL
    AND (
      CAST(a.done_on AS DATE) - CAST(s.entered_on AS DATE)
    ) BETWEEN 0 AND %s
    AND (
      s.exited_on IS NULL OR a.done_on <= s.exited_on
    )
  WHERE
    s.stage = %s
    AND s.pipeline = %s
    AND (
      s.stay_days > %s OR NOT s.outcome IN ('open', 'lost', 'removed')
    )
  GROUP BY
    s.deal_key,
    s.pos,
    s.owner,
    s.team,
    s.entered_on,
    s.outcome,
    s.stay_days
) AS e
GROUP BY
  1,
  2,
  3,
  4,
  5;

SELECT
  owner,
  team,
  entered_on,
  days,
  outcome,
  COUNT(*) AS n,
  SUM(CASE WHEN done_0 >= %s THEN 1 ELSE 0 END) AS k
FROM (
  SELECT
    s.deal_key,
    s.pos,
    s.owner,
    s.team,
    s.entered_on,
    s.outcome,
    CASE WHEN s.stay_days > %s THEN %s ELSE s.stay_days END AS days,
    SUM(CASE WHEN a.type IN (%s) THEN 1 ELSE 0 END) AS done_0
  FROM stays AS s
  LEFT JOIN activities AS a
    ON a.deal_key = s.deal_key
    AND NOT a.done_on IS NULL
    AND (
      CAST(a.done_on AS DATE) - CAST(s.entered_on AS DATE)
    ) BETWEEN 0 AND %s
    AND (
      s.exited_on IS NULL OR a.done_on <= s.exited_on
    )
  WHERE
    s.stage = %s
    AND s.pipeline = %s
    AND (
      s.stay_days > %s OR NOT s.outcome IN ('open', 'lost', 'removed')
    )
  GROUP BY
    s.deal_key,
    s.pos,
    s.owner,
    s.team,
    s.entered_on,
    s.outcome,
    s.stay_days
) AS e
GROUP BY
  1,
  2,
  3,
  4,
  5;
