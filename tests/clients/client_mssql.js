// mssql: pools and transactions over tedious.
'use strict';

const sql = require('mssql');
const {plan, run} = require('./client.js');

const STRINGS = {char: sql.Char, varchar: sql.VarChar, nchar: sql.NChar, nvarchar: sql.NVarChar, binary: sql.Binary, varbinary: sql.VarBinary};
const INTEGERS = {TINYINT: sql.TinyInt, SMALLINT: sql.SmallInt, INT: sql.Int, BIGINT: sql.BigInt};
const OTHERS = {bit: sql.Bit, money: sql.Money, float: sql.Float, real: sql.Real, date: sql.Date, datetime: sql.DateTime, guid: sql.UniqueIdentifier};
const SCALED = {time: sql.Time, datetime2: sql.DateTime2, datetimeoffset: sql.DateTimeOffset};

function parameterType(t) {
  if (!t)
    return sql.Int;
  if (t.kind === 'integer')
    return INTEGERS[t.sql];
  if (t.kind === 'decimal')
    return sql.Decimal(t.precision, t.scale);
  if (SCALED[t.kind])
    return SCALED[t.kind](t.scale);
  if (STRINGS[t.unit])
    return STRINGS[t.unit](t.length || sql.MAX);
  return OTHERS[t.kind];
}

async function open(database, password, encryption) {
  const pool = new sql.ConnectionPool({
    server: encryption ? 'localhost' : plan.host, port: encryption ? plan.encrypted.port : plan.port, user: plan.user, password, database,
    options: {encrypt: false, ...encryption}, connectionTimeout: 20000, requestTimeout: 60000, pool: {max: 1},
  });
  pool.on('error', () => {});
  try {
    return await pool.connect();
  } catch (e) {
    const failure = new Error(e.message);
    failure.number = e.code === 'ELOGIN' ? 18456 : 0;
    throw failure;
  }
}

async function query(where, text, parameters) {
  const request = where.request();
  request.arrayRowMode = true;
  for (const p of parameters)
    request.input(p.name, parameterType(p.type), p.value);
  const result = parameters.length ? await request.query(text) : await request.batch(text);
  return {sets: result.recordsets, count: result.rowsAffected.reduce((a, b) => a + b, 0)};
}

run({
  open,
  openEncrypted: ca => open('master', plan.password, {encrypt: true, trustServerCertificate: false, cryptoCredentialsDetails: ca ? {ca} : {}}),
  unknownDatabase: 18456, // 4060 comes first, and the pool tells of the last
  close: pool => pool.close(),
  query,
  async begin(pool) {
    const transaction = pool.transaction();
    await transaction.begin();
    return transaction;
  },
  commit: transaction => transaction.commit(),
  rollback: transaction => transaction.rollback(),
  cancel(pool, text) {
    const request = pool.request();
    setTimeout(() => request.cancel(), 1000);
    return request.batch(text);
  },
  async call(pool, procedure, parameter, value) {
    const request = pool.request();
    request.arrayRowMode = true;
    return (await request.input(parameter, sql.NVarChar(128), value).execute(procedure)).recordset;
  },
  async load(pool, name, rows) {
    const table = new sql.Table(name);
    table.columns.add('id', sql.Int, {nullable: false});
    table.columns.add('name', sql.NVarChar(50), {nullable: true});
    table.columns.add('amount', sql.Float, {nullable: true});
    for (const row of rows)
      table.rows.add(...row);
    return (await pool.request().bulk(table)).rowsAffected;
  },
  async prepared(pool, text, values) {
    const statement = new sql.PreparedStatement(pool);
    statement.input('a', sql.Int);
    await statement.prepare(text);
    const found = [];
    for (const a of values)
      found.push((await statement.execute({a})).recordset[0].b);
    await statement.unprepare();
    return found;
  },
}).catch(e => {
  console.error(e);
  process.exitCode = 1;
});
