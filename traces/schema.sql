-- The sockreel trace format, version 1: one SQLite file holding one or more runs.
--
-- Times are integer nanoseconds since the start of their run unless the name says otherwise
-- (monotonic_ns and realtime_ns are the machine's clocks). Ids are unique in the whole file.
-- NULL means "not known" or "does not apply", never zero. Comments stand inside the CREATE
-- statements, so `.schema` in any SQLite tool shows them.

CREATE TABLE runs ( -- one recording of one program, with its children
  id INTEGER PRIMARY KEY,         -- FILE#ID on the command line
  label TEXT,                     -- FILE#LABEL on the command line; unique in the file where given
  model TEXT,                     -- blocking, nonblocking, multiplexing, signal-driven, asynchronous, as told by --model
  command TEXT NOT NULL,          -- the command line, a JSON list
  directory TEXT,                 -- working directory at the start
  python TEXT,                    -- version of the recorded interpreter, e.g. 3.11.7
  core TEXT,                      -- what wrote the tape: c or python
  host TEXT,                      -- name of the machine
  kernel TEXT,                    -- system and release, e.g. Linux 6.18.0
  started_at TEXT NOT NULL,       -- UTC, ISO 8601
  duration_ns INTEGER,            -- NULL: still running, or the recorder died
  exit_status INTEGER,            -- the program's own, 128+N when signal N ended it; NULL: not known
  ended_by TEXT,                  -- exit, signal, interrupt (Ctrl-C), terminated (SIGTERM), for, max_calls, workload, recorder_lost (the recorder died; `recover` wrote the end); NULL: not ended
  recorder_version TEXT NOT NULL, -- version of sockreel
  call_cost_ns INTEGER,           -- cost of recording one call, measured by the agent at its start
  calls_recorded INTEGER NOT NULL DEFAULT 0, -- calls on the tape that reached this file (folded ones included)
  calls_lost INTEGER NOT NULL DEFAULT 0,     -- calls that happened and were not recorded
  packets_captured INTEGER,       -- NULL: no capture
  packets_lost INTEGER,           -- dropped by the kernel before the capture read them
  blind_spots TEXT NOT NULL DEFAULT '[]',    -- JSON list of sentences: what this run could not see
  settings TEXT NOT NULL DEFAULT '{}'        -- JSON object: the options of the recording
);

CREATE TABLE clocks ( -- the same moment on three clocks: at the start, every second, at the end
  run_id INTEGER NOT NULL REFERENCES runs(id),
  at_ns INTEGER NOT NULL,         -- since the run's start
  monotonic_ns INTEGER NOT NULL,  -- CLOCK_MONOTONIC
  realtime_ns INTEGER NOT NULL    -- CLOCK_REALTIME, since the epoch
);

CREATE TABLE processes ( -- the program and its children
  id INTEGER PRIMARY KEY,
  run_id INTEGER NOT NULL REFERENCES runs(id),
  pid INTEGER NOT NULL,
  parent_id INTEGER REFERENCES processes(id),
  started_by TEXT,                -- main, fork, exec, spawn
  command TEXT,                   -- JSON list, as the process itself saw it
  recorded INTEGER NOT NULL,      -- 1: an agent wrote a tape; 0: a blind spot
  why_not TEXT,                   -- why it was not recorded
  started_ns INTEGER,
  ended_ns INTEGER,
  exit_status INTEGER             -- as in runs; NULL where nobody could ask
);

CREATE TABLE threads (
  id INTEGER PRIMARY KEY,
  process_id INTEGER NOT NULL REFERENCES processes(id),
  native_id INTEGER,              -- the kernel's thread id
  name TEXT                       -- Python's name for it
);

CREATE TABLE addresses ( -- peers named in calls
  id INTEGER PRIMARY KEY,
  text TEXT NOT NULL              -- 127.0.0.1:80, [::1]:80, unix:/path, unix:@abstract
);

CREATE TABLE sockets ( -- one row per life of a file descriptor: a reused fd is a new socket
  id INTEGER PRIMARY KEY,
  process_id INTEGER NOT NULL REFERENCES processes(id),
  fd INTEGER NOT NULL,
  kind TEXT,                      -- tcp, udp, unix, pipe, eventfd, epoll, ring, other
  family TEXT,                    -- AF_INET, AF_INET6, AF_UNIX, ...
  type TEXT,                      -- SOCK_STREAM, SOCK_DGRAM, ...
  role TEXT,                      -- listener, accepted, connected, datagram, pair, poller, other
  local TEXT,                     -- own address
  peer TEXT,                      -- address of the other end
  parent_id INTEGER REFERENCES sockets(id), -- the listener it was accepted from
  origin TEXT,                    -- created, accepted, inherited, duplicated, passed
  origin_id INTEGER REFERENCES sockets(id), -- the socket it is a copy of, perhaps in another process
  pair_id INTEGER REFERENCES sockets(id), -- the other end, where socketpair made both
  opened_ns INTEGER,              -- when the recording first knew of it
  closed_ns INTEGER,              -- NULL: open when the run ended or died
  closed_by TEXT,                 -- close, detach, collected, exec, exit, replaced
  internal INTEGER NOT NULL DEFAULT 0 -- 1: an event loop's own, to be woken by its threads and signals (asyncio's self-pipe)
);

CREATE TABLE operations ( -- what the program called
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,      -- accept, recv, recv_into, send, epoll_wait, ...
  layer TEXT NOT NULL             -- socket, wait, tls, file, ring
);

CREATE TABLE outcomes ( -- what came of a call
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE       -- ok, would_block, in_progress, eof, timeout, ...
);

CREATE TABLE sites ( -- where in the program a call was made: the nearest caller outside the standard library
  id INTEGER PRIMARY KEY,
  file TEXT NOT NULL,
  line INTEGER NOT NULL,
  function TEXT NOT NULL,
  code TEXT                       -- that line of the program
);

CREATE TABLE sources ( -- the program's files, each text once, so that a replay shows them anywhere
  id INTEGER PRIMARY KEY,
  file TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  text TEXT NOT NULL
);

CREATE TABLE calls ( -- one socket operation each
  id INTEGER PRIMARY KEY,         -- in the order of the tape: nearly that of time
  run_id INTEGER NOT NULL REFERENCES runs(id),
  thread_id INTEGER NOT NULL REFERENCES threads(id),
  socket_id INTEGER REFERENCES sockets(id), -- NULL: a wait for many
  operation_id INTEGER NOT NULL REFERENCES operations(id),
  outcome_id INTEGER REFERENCES outcomes(id), -- NULL: unfinished
  started_ns INTEGER NOT NULL,
  duration_ns INTEGER,            -- NULL: unfinished, the call had not returned when its process ended
  asked INTEGER,                  -- bytes asked for or offered; backlog; maxevents; signals waited for; the flag, value or how of setblocking, setsockopt, fcntl, shutdown
  result INTEGER,                 -- bytes moved, sockets ready, the signal that came, or the new socket's id
  errno INTEGER,
  flags INTEGER,                  -- MSG_*; for setsockopt: level * 65536 + option; for fcntl: the command
  timeout_ns INTEGER,             -- NULL: may block for ever; 0: nonblocking; n: the Python timeout or the wait's
  peer_id INTEGER REFERENCES addresses(id), -- the address named in the call (datagrams, connect, bind)
  parent_id INTEGER REFERENCES calls(id),   -- the call it ran inside
  site_id INTEGER REFERENCES sites(id),
  ready_ns INTEGER,               -- when the kernel had what was asked for; NULL: not known
  ready_source TEXT               -- kernel, packet, sender
);
-- Long and unfinished calls are few and stand in no level: this finds them.
CREATE INDEX calls_long ON calls(run_id, started_ns) WHERE duration_ns >= 8000000 OR duration_ns IS NULL;
-- Calls that were not fruitless, whatever lies between them: would_block is 1, timeout 5. A query that says these terms uses it.
CREATE INDEX calls_not_fruitless ON calls(run_id) WHERE outcome_id <> 1 AND (outcome_id <> 5 OR ifnull(timeout_ns, 1) <> 0);

CREATE TABLE links ( -- one call made another possible
  from_call_id INTEGER NOT NULL REFERENCES calls(id),
  to_call_id INTEGER NOT NULL REFERENCES calls(id),
  kind TEXT NOT NULL              -- readiness, submitted, completed, sent; wrapped: a TLS call, and the socket call that carried it
);

CREATE TABLE readiness ( -- sockets registered with, or reported by, a readiness call
  call_id INTEGER NOT NULL REFERENCES calls(id),
  socket_id INTEGER NOT NULL REFERENCES sockets(id),
  interest INTEGER,               -- events asked for (register, modify)
  events INTEGER                  -- events reported (a wait)
);

CREATE TABLE payloads ( -- the first bytes of what a call moved
  call_id INTEGER PRIMARY KEY REFERENCES calls(id),
  size INTEGER NOT NULL,          -- bytes the call moved
  data BLOB NOT NULL              -- the first of them
);

CREATE TABLE signals ( -- signals as Python saw them
  id INTEGER PRIMARY KEY,
  run_id INTEGER NOT NULL REFERENCES runs(id),
  thread_id INTEGER REFERENCES threads(id), -- the one that ran the handler, or waited
  signal TEXT NOT NULL,           -- SIGIO, SIGINT, SIGRTMIN+1, ...
  via TEXT NOT NULL,              -- handler; wakeup_fd: a handler, and its number was written to the descriptor of set_wakeup_fd; sigwait: a call that waited for it returned
  started_ns INTEGER NOT NULL,    -- when its handler began: the kernel may have sent it earlier
  ended_ns INTEGER,               -- when its handler returned or raised; NULL: it never did
  during_call_id INTEGER REFERENCES calls(id), -- the call that its thread was in; calls of the handler name it as their parent, too
  socket_id INTEGER REFERENCES sockets(id) -- with O_ASYNC: the one that sends this signal, of several the one on which a call first found something, before another signal came; with wakeup_fd: where the number was written; NULL: not known
);

-- Written by --fold, and once a trace has reached --max-size. The first and last 16 calls of a spin stay
-- rows; so does a call of 8 ms or more, with 16 calls on either side of it and of any pause as long.
-- Between a fold's first and last moment its thread made no other calls. No fold reaches over a border
-- of the run's seconds. Folded calls are in summaries and levels; their ids stay unused.
CREATE TABLE folds ( -- a stretch of one spin of which the calls were counted, not kept
  id INTEGER PRIMARY KEY,
  thread_id INTEGER NOT NULL REFERENCES threads(id),
  first_ns INTEGER NOT NULL,      -- start of the first folded call
  last_ns INTEGER NOT NULL        -- end of the last one
);
CREATE INDEX folds_thread ON folds(thread_id, first_ns);

CREATE TABLE fold_parts ( -- what a fold holds, per socket, operation and site
  fold_id INTEGER NOT NULL REFERENCES folds(id),
  socket_id INTEGER REFERENCES sockets(id), -- NULL: all sockets together, as `sweep` counts
  operation_id INTEGER NOT NULL REFERENCES operations(id),
  site_id INTEGER REFERENCES sites(id),
  calls INTEGER NOT NULL,
  in_calls_ns INTEGER NOT NULL,   -- sum of durations
  min_ns INTEGER NOT NULL,        -- the shortest of them
  max_ns INTEGER NOT NULL         -- the longest of them
);
CREATE UNIQUE INDEX fold_parts_key ON fold_parts(fold_id, ifnull(socket_id, 0), operation_id, ifnull(site_id, 0));

CREATE TABLE summaries ( -- every call counted, written while recording
  run_id INTEGER NOT NULL REFERENCES runs(id),
  process_id INTEGER NOT NULL REFERENCES processes(id),
  operation_id INTEGER NOT NULL REFERENCES operations(id),
  outcome_id INTEGER REFERENCES outcomes(id), -- NULL: unfinished
  calls INTEGER NOT NULL,
  total_ns INTEGER NOT NULL,      -- sum of durations
  min_ns INTEGER,
  max_ns INTEGER,
  bytes INTEGER NOT NULL,         -- moved by these calls
  histogram TEXT NOT NULL         -- JSON object: bin -> calls. Bin b holds durations d with histogram_bin(d) = b (traces/histogram.py): within 4 %
);
CREATE UNIQUE INDEX summaries_key ON summaries(run_id, process_id, operation_id, ifnull(outcome_id, 0));

-- Time in calls shorter than 8 ms, in buckets of 1 ms x 8^level (level 0 to 7), a call that crosses
-- a border counted where it starts and its time divided. Rows of level 7 always exist; rows below a
-- bucket exist only if it holds at least 64 calls, otherwise take the calls between its first and
-- last id. Longer calls are found by the index calls_long.
CREATE TABLE levels (
  run_id INTEGER NOT NULL REFERENCES runs(id),
  thread_id INTEGER NOT NULL REFERENCES threads(id),
  socket_id INTEGER NOT NULL,     -- 0: all of the thread's calls; otherwise those on one socket
  level INTEGER NOT NULL,
  bucket INTEGER NOT NULL,        -- covers run time [bucket, bucket + 1) x 1 ms x 8^level
  class TEXT NOT NULL,            -- blocked (could wait, took 0.1 ms or more), fruitless, moved (bytes), other: the first that fits
  calls INTEGER NOT NULL,         -- calls that started here
  ns INTEGER NOT NULL,            -- time of calls that falls in this bucket
  bytes INTEGER NOT NULL,
  first_call_id INTEGER NOT NULL,
  last_call_id INTEGER NOT NULL,
  PRIMARY KEY (run_id, level, bucket, thread_id, socket_id, class)
) WITHOUT ROWID;

CREATE TABLE samples ( -- CPU and memory, read from /proc while the program runs
  run_id INTEGER NOT NULL REFERENCES runs(id),
  process_id INTEGER NOT NULL REFERENCES processes(id),
  thread_id INTEGER REFERENCES threads(id), -- NULL: the whole process, its ended threads and those without calls included
  at_ns INTEGER NOT NULL,
  run_ns INTEGER,                 -- on a CPU so far (schedstat: exact); of a thread a row only where it has grown
  user_ns INTEGER,                -- of that in user mode (steps of 10 ms)
  system_ns INTEGER,              -- of that in the kernel (steps of 10 ms)
  voluntary_switches INTEGER,     -- gave up the CPU to wait
  involuntary_switches INTEGER,   -- was taken off the CPU
  rss_bytes INTEGER,              -- resident memory of the process
  delay_ns INTEGER,               -- of a thread: ready to run, and waiting for a processor so far (schedstat)
  children_ns INTEGER             -- of a process: CPU of its descendants that ended and were waited for (steps of 10 ms; in the program's last row exact, by wait4)
);

CREATE TABLE packets ( -- what was seen on the wire of the program's own sockets: each TCP segment and UDP datagram once
  id INTEGER PRIMARY KEY,         -- in the order of the capture
  run_id INTEGER NOT NULL REFERENCES runs(id),
  at_ns INTEGER NOT NULL,         -- when the kernel saw it: on the loopback interface it arrives as it is sent
  source TEXT NOT NULL,           -- 127.0.0.1:80, [::1]:80
  destination TEXT NOT NULL,
  seq INTEGER,                    -- TCP: as on the wire, of its first byte; NULL: UDP
  ack INTEGER,                    -- TCP: the byte that is expected next of the other end; NULL: UDP
  flags TEXT,                     -- S, SA, PA, FA, R, ...; NULL: UDP
  payload_bytes INTEGER NOT NULL, -- that it carried: the frame may hold fewer
  socket_id INTEGER REFERENCES sockets(id), -- the program's socket it reached, else the one it left; the first of its copies
  frame BLOB NOT NULL             -- from the IP header on, cut behind as much of the payload as was wanted
);

CREATE TABLE carried ( -- which call sent or read bytes of which packet, was told the end by it, or the connection that it completed: found by their place in the stream, so one recv may have many, one packet many calls
  packet_id INTEGER NOT NULL REFERENCES packets(id),
  call_id INTEGER NOT NULL REFERENCES calls(id),
  PRIMARY KEY (packet_id, call_id)
) WITHOUT ROWID;
CREATE INDEX carried_call ON carried(call_id);

CREATE TABLE exchanges ( -- what a workload's clients asked, and what they got: the client's side of the story
  run_id INTEGER NOT NULL REFERENCES runs(id),
  client TEXT NOT NULL,           -- the client's name in the workload
  n INTEGER NOT NULL,             -- its n-th exchange, from 1; 0: the client said nothing or never connected
  socket_id INTEGER REFERENCES sockets(id), -- the server's side of the connection
  local_port INTEGER,             -- the client's own port
  connected_ns INTEGER,
  sent_ns INTEGER,                -- first byte handed to the client's kernel
  answered_ns INTEGER,            -- last byte of the answer read by the client
  sent_bytes INTEGER NOT NULL DEFAULT 0,
  answered_bytes INTEGER NOT NULL DEFAULT 0,
  first_call_id INTEGER REFERENCES calls(id), -- the server's calls that carried it
  last_call_id INTEGER REFERENCES calls(id),
  result TEXT NOT NULL            -- ok, wrong (another answer), none (no answer), refused, reset
);

CREATE TABLE recovery ( -- what `recover` needs if the recorder dies, written together with the rows it speaks of; none for a run that has ended
  run_id INTEGER NOT NULL REFERENCES runs(id),
  kind TEXT NOT NULL,             -- head (what a process says of itself), tape (how far it was read), child (one that was started), unrecorded (one that left a word), lost (calls not kept)
  key TEXT NOT NULL,              -- name of the tape; pid
  state TEXT NOT NULL,            -- JSON
  PRIMARY KEY (run_id, kind, key)
) WITHOUT ROWID;
