SELECT
  d.deal_key,
  i.deal_id,
  i.account,
  d.pipeline,
  s.stage,
  s.entered_on,
  s.stay_days,
  v.days_since_entered,
  d.owner,
  d.team,
  d.amount,
  d.created_on,
  d.days_since_created,
  i.expected_close,
  i.n_pushes,
  i.next_step_on
FROM deals AS d
JOIN details AS i
  ON i.deal_key = d.deal_key
LEFT JOIN stays AS s
  ON s.deal_key = d.deal_key AND s.outcome = 'open'
LEFT JOIN first_visits AS v
  ON v.deal_key = d.deal_key AND v.pipeline = s.pipeline AND v.stage = s.stage
WHERE
  d.cause = 0
ORDER BY
  d.deal_key NULLS LAST;

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

SELECT
  pipeline,
  stage,
  sla_days
FROM stages
WHERE
  NOT sla_days IS NULL;

SELECT
  COUNT(*) AS n
FROM activities
WHERE
  due_on > created_on OR (
    NOT due_on IS NULL AND done_on IS NULL
  );

SELECT DISTINCT
  a.deal_key,
  a.due_on,
  a.type
FROM activities AS a
JOIN deals AS d
  ON d.deal_key = a.deal_key
WHERE
  d.cause = 0 AND a.done_on IS NULL AND NOT a.due_on IS NULL
ORDER BY
  1 NULLS LAST,
  2 NULLS LAST,
  3 NULLS LAST;

SELECT
  a.deal_key,
  MAX(a.done_on) AS done_on
FROM activities AS a
JOIN deals AS d
  ON d.deal_key = a.deal_key
WHERE
  d.cause = 0 AND NOT a.done_on IS NULL
GROUP BY
  1;

SELECT
  s.deal_key,
  a.type,
  COUNT(*) AS n
FROM stays AS s
JOIN activities AS a
  ON a.deal_key = s.deal_key
WHERE
  s.outcome = 'open' AND a.done_on >= s.entered_on
GROUP BY
  1,
  2;

SELECT
  pipeline,
  exit_age,
  COUNT(*) AS n
FROM deals
WHERE
  cause = 1 AND exit_age >= 0
GROUP BY
  1,
  2;

SELECT
  c.deal_key,
  c.changed_at,
  c.changed_on,
  c.old,
  c.new
FROM changes AS c
JOIN deals AS d
  ON d.deal_key = c.deal_key
WHERE
  d.cause = 0 AND c.field = 'expected_close';

SELECT
  person_id,
  manager_id,
  left_on
FROM people;

SELECT
  person_id,
  name
FROM people;

SELECT DISTINCT
  owner AS known
FROM deals;

SELECT DISTINCT
  person_id AS known
FROM people;
