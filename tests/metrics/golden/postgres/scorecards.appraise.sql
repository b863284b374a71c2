SELECT
  person_id AS person,
  name,
  team,
  role,
  manager_id AS manager,
  hired_on,
  left_on,
  valid_from
FROM people_history;

SELECT
  rep AS person,
  done_on AS day,
  COUNT(*) AS k
FROM activities
WHERE
  NOT done_on IS NULL AND type IN (%s)
GROUP BY
  1,
  2;

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
  owner AS person,
  entered_on,
  COUNT(*) AS n,
  SUM(CASE WHEN cause = 1 AND exit_age <= %s THEN 1 ELSE 0 END) AS k
FROM first_visits
WHERE
  stage = %s AND days_since_entered >= %s AND is_removed = 0
GROUP BY
  1,
  2;

SELECT
  owner AS person,
  created_on,
  COUNT(*) AS n,
  SUM(CASE WHEN cause = 1 AND exit_age <= %s THEN 1 ELSE 0 END) AS k
FROM deals
WHERE
  status <> 'removed' AND days_since_created >= %s
GROUP BY
  1,
  2;

SELECT
  d.deal_key,
  c.person_id AS person,
  d.owner,
  d.team,
  d.closed_on AS won_on,
  c.share AS share,
  d.amount AS deal_amount,
  d.source,
  d.segment,
  d.product,
  d.region
FROM credits AS c
JOIN deals AS d
  ON d.deal_key = c.deal_key
WHERE
  c.type = 'revenue' AND d.cause = 1
UNION ALL
SELECT
  d.deal_key,
  d.owner AS person,
  d.owner,
  d.team,
  d.closed_on AS won_on,
  1.0 AS share,
  d.amount AS deal_amount,
  d.source,
  d.segment,
  d.product,
  d.region
FROM deals AS d
WHERE
  d.cause = 1
  AND NOT d.owner IS NULL
  AND NOT EXISTS(
    SELECT
      1
    FROM credits AS c
    WHERE
      c.deal_key = d.deal_key AND c.type = 'revenue'
  );

SELECT
  holder_type,
  holder_id AS holder,
  period_start,
  period_end,
  value
FROM quotas
WHERE
  measure = 'amount';

SELECT
  s.person_id AS person,
  s.answered_on AS day,
  s.score,
  s.scale_max,
  COUNT(*) AS n
FROM satisfaction AS s
WHERE
  NOT s.answered_on IS NULL
  AND s.score BETWEEN 0 AND s.scale_max
  AND s.scale_max > 0
GROUP BY
  1,
  2,
  3,
  4;
