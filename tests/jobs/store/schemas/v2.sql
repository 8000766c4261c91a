CREATE TABLE micro_schema (version INTEGER NOT NULL);
INSERT INTO micro_schema (version) VALUES (2);
CREATE TABLE micro_jobs (
    id TEXT COLLATE {key} PRIMARY KEY,
    plugin TEXT COLLATE {key} NOT NULL,
    queue TEXT NOT NULL,
    state TEXT COLLATE {key} NOT NULL,
    created DOUBLE PRECISION NOT NULL,
    run_after DOUBLE PRECISION NOT NULL,
    started DOUBLE PRECISION,
    finished DOUBLE PRECISION,
    due DOUBLE PRECISION,
    worker TEXT,
    attempt INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    lost INTEGER NOT NULL,
    told INTEGER NOT NULL,
    cancel_requested BOOLEAN NOT NULL,
    timeout DOUBLE PRECISION,
    last_event INTEGER NOT NULL,
    state_event INTEGER NOT NULL,
    progress_event INTEGER NOT NULL,
    log_lines INTEGER NOT NULL,
    done DOUBLE PRECISION,
    total DOUBLE PRECISION,
    message TEXT,
    idempotency_key TEXT,
    fingerprint TEXT,
    parent TEXT,
    transport TEXT,
    request_id TEXT,
    traceparent TEXT,
    generation TEXT,
    error TEXT,
    shown TEXT,
    params TEXT NOT NULL,
    result TEXT,
    CHECK (state IN ('queued', 'running', 'succeeded', 'failed', 'cancelled'))
);
CREATE INDEX micro_jobs_by_due ON micro_jobs (due, state, queue) WHERE due IS NOT NULL;
CREATE INDEX micro_jobs_active ON micro_jobs (id, plugin) WHERE due IS NOT NULL;
CREATE INDEX micro_jobs_by_state ON micro_jobs (state, id, finished) WHERE finished IS NOT NULL;
CREATE INDEX micro_jobs_by_plugin ON micro_jobs (plugin, state, id) WHERE finished IS NOT NULL;
CREATE UNIQUE INDEX micro_jobs_by_key ON micro_jobs (idempotency_key)
WHERE idempotency_key IS NOT NULL;
CREATE TABLE micro_job_log (
    job TEXT COLLATE {key} NOT NULL REFERENCES micro_jobs (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    time DOUBLE PRECISION NOT NULL,
    level TEXT NOT NULL,
    line TEXT NOT NULL,
    PRIMARY KEY (job, number)
) {clustered};
CREATE TABLE micro_leases (
    name TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    until DOUBLE PRECISION NOT NULL
);
INSERT INTO micro_jobs (plugin, queue, attempts, attempt, lost, told, cancel_requested, created, run_after, last_event, state_event, progress_event, log_lines, params, id, state, started, finished, worker, result)
VALUES ('Adder', 'sums', 3, 1, 0, 0, FALSE, 1893456000.25, 1893456000.25, 3, 3, 0, 0, '{"a": 1, "b": 2}', '019b76da-a8fa-7000-8000-000000000001', 'succeeded', 1893456001.0, 1893456002.0, 'worker-1', '{"sum": 3}');
INSERT INTO micro_jobs (plugin, queue, attempts, attempt, lost, told, cancel_requested, created, run_after, last_event, state_event, progress_event, log_lines, params, id, state, started, finished, worker, error)
VALUES ('Adder', 'sums', 3, 1, 0, 0, FALSE, 1893456000.25, 1893456000.25, 3, 3, 0, 0, '{"a": 1, "b": 2}', '019b76da-a8fa-7000-8000-000000000002', 'failed', 1893456001.0, 1893456002.0, 'worker-1', '{"error": "It failed.", "code": "plugin-failed", "status": 500}');
INSERT INTO micro_jobs (plugin, queue, attempts, attempt, lost, told, cancel_requested, created, run_after, last_event, state_event, progress_event, log_lines, params, id, state, started, due, worker, done, total, message)
VALUES ('Adder', 'sums', 3, 1, 0, 0, FALSE, 1893456000.25, 1893456000.25, 4, 2, 4, 1, '{"a": 1, "b": 2}', '019b76da-a8fa-7000-8000-000000000003', 'running', 1893456001.0, 4102444800.0, 'worker-1', 1.0, 2.0, 'half');
INSERT INTO micro_jobs (plugin, queue, attempts, attempt, lost, told, cancel_requested, created, run_after, last_event, state_event, progress_event, log_lines, params, id, state, due, idempotency_key, fingerprint, shown)
VALUES ('Login', '', 3, 0, 0, 0, FALSE, 1893456000.25, 0.0, 1, 1, 0, 0, '{"password": "hunter2"}', '019b76da-a8fa-7000-8000-000000000004', 'queued', 1893456005.25, 'key', '00', '{"password": "***"}');
INSERT INTO micro_job_log (job, number, time, level, line)
VALUES ('019b76da-a8fa-7000-8000-000000000003', 3, 1893456001.5, 'INFO', 'half way');
INSERT INTO micro_leases (name, owner, until) VALUES ('sweep', 'worker-1', 1893456060.0);
