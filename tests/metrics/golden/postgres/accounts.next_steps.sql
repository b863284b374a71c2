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
  COALESCE(i.account_id, i.account) = %s;

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
  COALESCE(i.account_id, i.account) = %s;

SELECT
  person_id,
  name,
  left_on
FROM people;

SELECT
  i.deal_id,
  d.paid_on AS day,
  d.amount
FROM payments AS d
JOIN details AS i
  ON i.deal_key = d.deal_key
WHERE
  COALESCE(i.account_id, i.account) = %s;

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
  COALESCE(i.account_id, i.account) = %s;

SELECT
  person_id,
  name
FROM people;
