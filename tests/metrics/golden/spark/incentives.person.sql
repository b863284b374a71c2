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
  deal_key,
  person_id,
  share
FROM credits
WHERE
  type = 'revenue'
ORDER BY
  1 NULLS LAST,
  2 NULLS LAST,
  3 NULLS LAST;

SELECT
  deal_key,
  paid_on,
  SUM(amount) AS amount
FROM payments
GROUP BY
  1,
  2
ORDER BY
  1 NULLS LAST,
  2 NULLS LAST;

SELECT
  w.deal_key,
  i.deal_id,
  w.spell,
  w.won_on,
  w.unwon_on,
  w.owner,
  w.amount,
  w.source,
  w.segment,
  w.product,
  w.region
FROM won_spells AS w
JOIN details AS i
  ON i.deal_key = w.deal_key
ORDER BY
  w.deal_key NULLS LAST,
  w.spell NULLS LAST;

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
  type,
  COUNT(*) AS n
FROM activities
GROUP BY
  1
ORDER BY
  2 DESC,
  1 NULLS LAST;

SELECT
  owner,
  team,
  entered_on,
  days,
  outcome,
  COUNT(*) AS n,
  SUM(CASE WHEN done_0 >= ? THEN 1 ELSE 0 END) AS k
FROM (
  SELECT
    s.deal_key,
    s.pos,
    s.owner,
    s.team,
    s.entered_on,
    s.outcome,
    CASE WHEN s.stay_days > ? THEN ? ELSE s.stay_days END AS days,
    SUM(CASE WHEN a.type IN (?, ?) THEN 1 ELSE 0 END) AS done_0
  FROM stays AS s
  LEFT JOIN activities AS a
    ON a.deal_key = s.deal_key
    AND NOT a.done_on IS NULL
    AND DATEDIFF(DAY, CAST(s.entered_on AS DATE), CAST(a.done_on AS DATE)) BETWEEN 0 AND ?
    AND (
      s.exited_on IS NULL OR a.done_on <= s.exited_on
    )
  WHERE
    s.stage = ?
    AND (
      s.stay_days > ? OR NOT s.outcome IN ('open', 'lost', 'removed')
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
  SUM(CASE WHEN done_0 >= ? THEN 1 ELSE 0 END) AS k
FROM (
  SELECT
    s.deal_key,
    s.pos,
    s.owner,
    s.team,
    s.entered_on,
    s.outcome,
    CASE WHEN s.stay_days > ? THEN ? ELSE s.stay_days END AS days,
    SUM(CASE WHEN a.type IN (?) THEN 1 ELSE 0 END) AS done_0
  FROM stays AS s
  LEFT JOIN activities AS a
    ON a.deal_key = s.deal_key
    AND NOT a.done_on IS NULL
    AND DATEDIFF(DAY, CAST(s.entered_on AS DATE), CAST(a.done_on AS DATE)) BETWEEN 0 AND ?
    AND (
      s.exited_on IS NULL OR a.done_on <= s.exited_on
    )
  WHERE
    s.stage = ?
    AND (
      s.stay_days > ? OR NOT s.outcome IN ('open', 'lost', 'removed')
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
  person_id
FROM people
ORDER BY
  1 NULLS LAST;
