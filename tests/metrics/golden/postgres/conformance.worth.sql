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
  COUNT(*) AS n
FROM first_visits AS v
WHERE
  v.stage = %s AND v.is_removed = 0 AND v.entered_on >= %s;

SELECT
  e.team,
  e.month,
  e.exit_age,
  e.cause,
  e.is_followed,
  CASE WHEN e.done_0 >= %s THEN 1 ELSE 0 END AS has_all,
  COUNT(*) AS n
FROM (
  SELECT
    v.deal_key,
    v.team,
    v.exit_age,
    v.cause,
    DATE_TRUNC('MONTH', v.entered_on) AS month,
    CASE WHEN v.days_since_entered >= %s THEN 1 ELSE 0 END AS is_followed,
    SUM(CASE WHEN a.type IN (%s, %s) THEN 1 ELSE 0 END) AS done_0
  FROM first_visits AS v
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
    ON f.deal_key = v.deal_key
  JOIN stays AS t
    ON t.deal_key = f.deal_key AND t.pos = f.pos
  LEFT JOIN activities AS a
    ON a.deal_key = v.deal_key
    AND NOT a.done_on IS NULL
    AND (
      CAST(a.done_on AS DATE) - CAST(v.entered_on AS DATE)
    ) BETWEEN 0 AND %s
  WHERE
    v.stage = %s
    AND v.is_removed = 0
    AND v.entered_on >= %s
    AND (
      t.stay_days > %s OR (
        t.stay_days = %s AND t.outcome = 'open'
      )
    )
  GROUP BY
    v.deal_key,
    v.team,
    v.exit_age,
    v.cause,
    v.entered_on,
    v.days_since_entered
) AS e
GROUP BY
  1,
  2,
  3,
  4,
  5,
  6;

SELECT
  e.team,
  e.month,
  e.exit_age,
  e.cause,
  e.is_followed,
  CASE WHEN e.done_0 >= %s THEN 1 ELSE 0 END AS has_all,
  COUNT(*) AS n
FROM (
  SELECT
    v.deal_key,
    v.team,
    v.exit_age,
    v.cause,
    DATE_TRUNC('MONTH', v.entered_on) AS month,
    CASE WHEN v.days_since_entered >= %s THEN 1 ELSE 0 END AS is_followed,
    SUM(CASE WHEN a.type IN (%s) THEN 1 ELSE 0 END) AS done_0
  FROM first_visits AS v
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
    ON f.deal_key = v.deal_key
  JOIN stays AS t
    ON t.deal_key = f.deal_key AND t.pos = f.pos
  LEFT JOIN activities AS a
    ON a.deal_key = v.deal_key
    AND NOT a.done_on IS NULL
    AND (
      CAST(a.done_on AS DATE) - CAST(v.entered_on AS DATE)
    ) BETWEEN 0 AND %s
  WHERE
    v.stage = %s
    AND v.is_removed = 0
    AND v.entered_on >= %s
    AND (
      t.stay_days > %s OR (
        t.stay_days = %s AND t.outcome = 'open'
      )
    )
  GROUP BY
    v.deal_key,
    v.team,
    v.exit_age,
    v.cause,
    v.entered_on,
    v.days_since_entered
) AS e
GROUP BY
  1,
  2,
  3,
  4,
  5,
  6;

SELECT
  COUNT(*) AS n
FROM first_visits AS v
WHERE
  v.stage = %s AND v.pipeline = %s AND v.is_removed = 0 AND v.entered_on >= %s;

SELECT
  e.team,
  e.month,
  e.exit_age,
  e.cause,
  e.is_followed,
  CASE WHEN e.done_0 >= %s THEN 1 ELSE 0 END AS has_all,
  COUNT(*) AS n
FROM (
  SELECT
    v.deal_key,
    v.team,
    v.exit_age,
    v.cause,
    DATE_TRUNC('MONTH', v.entered_on) AS month,
    CASE WHEN v.days_since_entered >= %s THEN 1 ELSE 0 END AS is_followed,
    SUM(CASE WHEN a.type IN (%s, %s) THEN 1 ELSE 0 END) AS done_0
  FROM first_visits AS v
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
    ON f.deal_key = v.deal_key
  JOIN stays AS t
    ON t.deal_key = f.deal_key AND t.pos = f.pos
  LEFT JOIN activities AS a
    ON a.deal_key = v.deal_key
    AND NOT a.done_on IS NULL
    AND (
      CAST(a.done_on AS DATE) - CAST(v.entered_on AS DATE)
    ) BETWEEN 0 AND %s
  WHERE
    v.stage = %s
    AND v.pipeline = %s
    AND v.is_removed = 0
    AND v.entered_on >= %s
    AND (
      t.stay_days > %s OR (
        t.stay_days = %s AND t.outcome = 'open'
      )
    )
  GROUP BY
    v.deal_key,
    v.team,
    v.exit_age,
    v.cause,
    v.entered_on,
    v.days_since_entered
) AS e
GROUP BY
  1,
  2,
  3,
  4,
  5,
  6;

SELECT
  e.team,
  e.month,
  e.exit_age,
  e.cause,
  e.is_followed,
  CASE WHEN e.done_0 >= %s THEN 1 ELSE 0 END AS has_all,
  COUNT(*) AS n
FROM (
  SELECT
    v.deal_key,
    v.team,
    v.exit_age,
    v.cause,
    DATE_TRUNC('MONTH', v.entered_on) AS month,
    CASE WHEN v.days_since_entered >= %s THEN 1 ELSE 0 END AS is_followed,
    SUM(CASE WHEN a.type IN (%s) THEN 1 ELSE 0 END) AS done_0
  FROM first_visits AS v
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
    ON f.deal_key = v.deal_key
  JOIN stays AS t
    ON t.deal_key = f.deal_key AND t.pos = f.pos
  LEFT JOIN activities AS a
    ON a.deal_key = v.deal_key
    AND NOT a.done_on IS NULL
    AND (
      CAST(a.done_on AS DATE) - CAST(v.entered_on AS DATE)
    ) BETWEEN 0 AND %s
  WHERE
    v.stage = %s
    AND v.pipeline = %s
    AND v.is_removed = 0
    AND v.entered_on >= %s
    AND (
      t.stay_days > %s OR (
        t.stay_days = %s AND t.outcome = 'open'
      )
    )
  GROUP BY
    v.deal_key,
    v.team,
    v.exit_age,
    v.cause,
    v.entered_on,
    v.days_since_entered
) AS e
GROUP BY
  1,
  2,
  3,
  4,
  5,
  6;
