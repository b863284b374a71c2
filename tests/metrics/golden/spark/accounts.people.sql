SELECT
  COALESCE(i.account_id, i.account) AS account,
  i.account AS name,
  COUNT(*) AS n_deals,
  COALESCE(SUM(CASE WHEN d.cause = 1 THEN d.amount END), 0) AS won_amount
FROM deals AS d
JOIN details AS i
  ON i.deal_key = d.deal_key
WHERE
  NOT COALESCE(i.account_id, i.account) IS NULL
GROUP BY
  1,
  2;

SELECT
  i.deal_id,
  s.spell AS pos,
  s.status,
  s.begun_at AS moment,
  s.begun_on AS day,
  s.owner AS person,
  s.amount,
  d.created_on,
  i.loss_reason
FROM state_spells AS s
JOIN deals AS d
  ON d.deal_key = s.deal_key
JOIN details AS i
  ON i.deal_key = s.deal_key
WHERE
  COALESCE(i.account_id, i.account) = ?;

SELECT
  i.deal_id,
  d.pos,
  d.stage,
  d.inflow AS type,
  d.entered_at AS moment,
  d.entered_on AS day,
  d.owner AS person
FROM stays AS d
JOIN details AS i
  ON i.deal_key = d.deal_key
WHERE
  COALESCE(i.account_id, i.account) = ?;

SELECT
  i.deal_id,
  d.handed_at AS moment,
  d.handed_on AS day,
  d.from_owner,
  d.owner AS person
FROM hand_overs AS d
JOIN details AS i
  ON i.deal_key = d.deal_key
WHERE
  COALESCE(i.account_id, i.account) = ?;

SELECT
  person_id,
  name
FROM people;

SELECT
  i.deal_id,
  d.field,
  d.old,
  d.new,
  d.changed_at AS moment,
  d.changed_on AS day,
  d.actor AS person
FROM changes AS d
JOIN details AS i
  ON i.deal_key = d.deal_key
WHERE
  COALESCE(i.account_id, i.account) = ?;

SELECT
  i.deal_id,
  d.rep,
  d.type,
  d.created_at,
  d.created_on,
  d.due_on,
  d.done_at,
  d.done_on,
  d.outcome
FROM activities AS d
JOIN details AS i
  ON i.deal_key = d.deal_key
WHERE
  COALESCE(i.account_id, i.account) = ?;

SELECT
  i.deal_id,
  s.person_id AS person,
  s.asked_at,
  s.asked_on,
  s.answered_at,
  s.answered_on,
  s.score,
  s.scale_max
FROM satisfaction AS s
LEFT JOIN details AS i
  ON i.deal_key = s.deal_key
WHERE
  COALESCE(i.account_id, i.account) = ?
  OR (
    s.deal_id IS NULL AND s.account_id = ?
  );

SELECT
  i.deal_id,
  d.paid_on AS day,
  d.amount
FROM payments AS d
JOIN details AS i
  ON i.deal_key = d.deal_key
WHERE
  COALESCE(i.account_id, i.account) = ?;

SELECT
  d.deal_key,
  i.deal_id,
  d.pipeline,
  d.status,
  d.stage,
  d.owner,
  d.amount,
  d.created_on,
  d.closed_on,
  i.expected_close,
  i.next_step_on,
  i.n_pushes,
  i.loss_reason
FROM deals AS d
JOIN details AS i
  ON i.deal_key = d.deal_key
WHERE
  COALESCE(i.account_id, i.account) = ?;

SELECT
  i.deal_id,
  d.pos,
  d.pipeline,
  d.stage,
  d.stage_order,
  d.entered_on,
  d.exited_on,
  d.outcome,
  d.stay_days
FROM stays AS d
JOIN details AS i
  ON i.deal_key = d.deal_key
WHERE
  COALESCE(i.account_id, i.account) = ?;

SELECT
  person_id,
  name,
  left_on
FROM people;

SELECT
  i.deal_id,
  d.closed_on AS day,
  c.person_id AS person,
  c.type
FROM credits AS c
JOIN deals AS d
  ON d.deal_key = c.deal_key
JOIN details AS i
  ON i.deal_key = c.deal_key
WHERE
  COALESCE(i.account_id, i.account) = ?;

SELECT
  person_id,
  name,
  left_on,
  team
FROM people;
