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
