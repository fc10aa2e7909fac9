// What the drivers for Node.js share: the plan, reports, the flow of the checks, and values as text. See client.py.
'use strict';

const fs = require('fs');

const plan = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));

function report(check, result) {
  const line = Buffer.from(JSON.stringify({check, ...result}) + '\n');
  for (let at = 0; at < line.length;) {
    try {
      at += fs.writeSync(1, line, at);
    } catch (e) {
      if (e.code !== 'EAGAIN') // the pipe is full
        throw e;
    }
  }
}

async function attempt(check, action) {
  try {
    await action();
    report(check, {ok: true});
  } catch (e) {
    report(check, {ok: false, detail: String(e && e.stack || e).slice(0, 1500)});
  }
}

async function reportRows(check, action) {
  try {
    report(check, {rows: await action()});
  } catch (e) {
    report(check, {ok: false, detail: String(e && e.stack || e).slice(0, 1500)});
  }
}

function expect(value, wanted) {
  if (JSON.stringify(value) !== JSON.stringify(wanted))
    throw new Error(`${JSON.stringify(value).slice(0, 300)} instead of ${JSON.stringify(wanted).slice(0, 300)}`);
}

// The failure that must come: its number and text.
async function expectError(action, number, text) {
  let failure;
  try {
    await action();
  } catch (e) {
    failure = e;
  }
  if (!failure)
    throw new Error(`no error ${number}`);
  if (failure.number !== number || !failure.message.includes(text))
    throw failure;
}

// A Date knows milliseconds; the libraries carry the rest beside it, in seconds.
function parseDate(text) {
  const [, head, fraction, tail] = /^([^.]*?)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)?$/.exec(text);
  const digits = (fraction || '').padEnd(7, '0');
  const value = new Date(`${head}.${digits.slice(0, 3)}${tail || 'Z'}`);
  value.nanosecondDelta = Number(digits.slice(3)) / 1e7;
  return value;
}

function dateText(value) {
  const rest = Math.round((value.nanosecondsDelta || 0) * 1e7);
  return value.toISOString().slice(0, -1).replace(/^\+00/, '') + String(rest).padStart(4, '0');
}

const toText = {
  bit: v => v ? '1' : '0',
  date: v => dateText(v).slice(0, 10),
  time: v => dateText(v).slice(11),
  datetime: dateText,
  datetime2: dateText,
  datetimeoffset: v => dateText(v) + '+00:00',
  guid: v => v.toUpperCase(),
  binary: v => v.toString('hex').toUpperCase(),
};

function text(t, v) {
  if (v === null)
    return null;
  return (toText[t.kind] || String)(v);
}

const toNative = {
  integer: v => v,
  bit: v => v === '1',
  decimal: Number,
  money: Number,
  float: Number,
  real: Number,
  date: v => new Date(v + 'T00:00:00Z'),
  time: v => parseDate('1970-01-01T' + v),
  datetime: parseDate,
  datetime2: parseDate,
  datetimeoffset: parseDate,
  binary: v => Buffer.from(v, 'hex'),
};

function native(t, v) {
  if (v === null)
    return null;
  if (t.sql !== 'BIGINT' && t.kind === 'integer')
    return Number(v);
  return (toNative[t.kind] || String)(v);
}

// The checks, by what the driver offers: open(database, password) → connection; close(connection);
// openEncrypted(ca) → connection; query(connection, sql, parameters) → {sets, count}; begin, commit, rollback (connection); cancel(connection, sql);
// prepared(connection, sql, values of @a); load(connection, table, rows) → count, by a bulk load; call(connection,
// procedure, parameter, text) → rows.
// parameters: [{name, type: a case's type or undefined for INT, value}]
async function run(driver) {
  const open = () => driver.open(plan.database, plan.password);
  const rows = async (c, sql, parameters) => (await driver.query(c, sql, parameters || [])).sets[0];
  const once = async action => {
    const c = await open();
    try {
      return await action(c);
    } finally {
      await driver.close(c);
    }
  };
  const seen = id => once(c => rows(c, `SELECT id FROM dbo.people WHERE id = ${id}`));
  const insert = (c, id) => driver.query(c, 'INSERT INTO dbo.people (id, name) VALUES (@id, @name)',
    [{name: 'id', value: id}, {name: 'name', type: {kind: 'string', unit: 'nvarchar', length: 50}, value: 'new'}]);

  await attempt('login', async () => {
    const c = await driver.open('master', plan.password);
    expect(await rows(c, 'SELECT 1 AS one'), [[1]]);
    await driver.close(c);
  });
  await attempt('wrong password', () => expectError(() => driver.open('master', 'not the password'), 18456, 'Login failed'));
  await attempt('unknown database', () => expectError(() => driver.open('no_such_database', plan.password),
    driver.unknownDatabase || 4060, driver.unknownDatabase ? 'Login failed' : 'Cannot open database'));
  await attempt('schema', async () => {
    const c = await driver.open('master', plan.password);
    await driver.query(c, `CREATE DATABASE ${plan.database}`, []);
    await driver.close(c);
    await once(async own => {
      for (const sql of plan.setup)
        await driver.query(own, sql, []);
      expect(await rows(own, 'SELECT COUNT(*) AS n FROM dbo.digits'), [[10]]);
    });
  });

  for (const t of plan.types) {
    await reportRows('read ' + t.name, () => once(async c => {
      const sql = `SELECT id, v FROM reference.dbo.${t.name} WHERE id IN (${t.read.map(v => v.id).join(', ')}) ORDER BY id`;
      return (await rows(c, sql)).map(([id, v]) => [id, text(t, v)]);
    }));
    await reportRows('write ' + t.name, () => once(async c => {
      const failed = [];
      await driver.query(c, `CREATE TABLE dbo.w_${t.name} (id INT NOT NULL PRIMARY KEY, v ${t.sql} NULL)`, []);
      for (const v of t.write) {
        try {
          await driver.query(c, `INSERT INTO dbo.w_${t.name} (id, v) VALUES (@id, @v)`,
            [{name: 'id', value: v.id}, {name: 'v', type: t, value: native(t, v.text)}]);
        } catch (e) {
          failed.push([v.id, 'not written: ' + e.message]);
        }
      }
      const read = await rows(c, `SELECT id, v FROM dbo.w_${t.name} ORDER BY id`);
      return failed.concat(read.map(([id, v]) => [id, text(t, v)]));
    }));
  }

  await attempt('commit', () => once(async c => {
    const transaction = await driver.begin(c);
    await insert(transaction, 10);
    await driver.commit(transaction);
    expect(await seen(10), [[10]]);
  }));
  await attempt('rollback', () => once(async c => {
    const transaction = await driver.begin(c);
    await insert(transaction, 11);
    expect(await rows(transaction, 'SELECT id FROM dbo.people WHERE id = 11'), [[11]]);
    await driver.rollback(transaction);
    expect(await rows(c, 'SELECT id FROM dbo.people WHERE id = 11'), []);
  }));
  await attempt('autocommit', () => once(async c => {
    await insert(c, 12);
    expect(await seen(12), [[12]]);
  }));
  await attempt('result sets', () => once(async c => {
    const {sets} = await driver.query(c, plan.results.sql, []);
    expect(sets.map(set => set.map(row => row.map(String))), plan.results.expect);
  }));
  await attempt('row count', () => once(async c => {
    expect((await driver.query(c, plan.count.sql, [])).count, plan.count.expect);
  }));
  await attempt('prepared', () => once(c => driver.prepared(c, 'SELECT @a + 1 AS b', [1, 41, 100]).then(found => expect(found, [2, 42, 101]))));
  await attempt('cancel', () => once(async c => {
    const began = Date.now();
    let failure;
    try {
      await driver.cancel(c, plan.long_running);
    } catch (e) {
      failure = e;
    }
    if (!failure)
      throw new Error('it came to its end');
    if (failure.code !== 'ECANCEL')
      throw failure;
    if (Date.now() - began > 10000)
      throw new Error('the cancel took more than 10 s');
    expect(await rows(c, 'SELECT 1 AS one'), [[1]]);
  }));
  await attempt('bulk load', () => once(async c => {
    const wanted = [];
    for (let i = 1; i <= plan.bulk.rows; i++)
      wanted.push([i, i % 10 === 0 ? null : `name ${i} ✓`, i % 7 === 0 ? null : i + 0.25]);
    await driver.query(c, plan.bulk.create, []);
    expect(await driver.load(c, 'dbo.loaded', wanted), wanted.length);
    expect(await rows(c, plan.bulk.read), wanted);
    // A row that is refused takes its load with it.
    await expectError(() => driver.load(c, 'dbo.loaded', [[5001, 'new', 1.5], [1, 'again', 1.5]]), 2627, 'Violation of PRIMARY KEY');
    expect(await once(other => rows(other, 'SELECT COUNT(*) AS n FROM dbo.loaded')), [[wanted.length]]);
  }));
  await attempt('catalogue', () => once(async c => {
    const about = plan.catalogue;
    for (const [procedure, wanted] of [['sp_columns', about.columns], ['sp_pkeys', about.primary_key]])
      expect((await driver.call(c, procedure, 'table_name', about.table)).map(row => row[3]), wanted);
  }));
  await attempt('generated key', () => once(async c => {
    const about = plan.generated;
    await driver.query(c, about.create, []);
    expect(await rows(c, about.insert + '; SELECT CAST(SCOPE_IDENTITY() AS INT) AS id'), [[about.key]]);
    expect(await rows(c, about.output), [[about.output_key]]);
  }));
  await attempt('database change', () => once(async c => {
    await driver.query(c, 'USE reference', []);
    expect(await rows(c, 'SELECT DB_NAME() AS name'), [['reference']]);
    await driver.query(c, `USE ${plan.database}`, []);
    expect(await rows(c, 'SELECT DB_NAME() AS name'), [[plan.database]]);
  }));
  await attempt('encrypted', async () => {
    const c = await driver.openEncrypted(fs.readFileSync(plan.encrypted.ca));
    expect(await rows(c, `SELECT N'${plan.encrypted.text}' AS v`), [[plan.encrypted.text]]);
    await driver.close(c);
    let refused;
    try {
      await driver.openEncrypted(undefined);
    } catch (e) {
      refused = e;
    }
    if (!refused)
      throw new Error('a certificate that nobody vouches for was taken');
  });
  for (const e of plan.errors) {
    await attempt('error ' + e.number, () => once(async c => {
      await expectError(() => driver.query(c, e.sql, []), e.number, e.text);
      expect(await rows(c, 'SELECT 1 AS one'), [[1]]);
    }));
  }
  for (const [check, action] of Object.entries(driver.more || {}))
    await attempt(check, () => once(action));
}

module.exports = {plan, run, expect};
