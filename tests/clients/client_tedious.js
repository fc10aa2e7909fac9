// tedious: TDS written in JavaScript.
'use strict';

const {Connection, Request, TYPES} = require('tedious');
const {plan, run} = require('./client.js');

const STRINGS = {char: TYPES.Char, varchar: TYPES.VarChar, nchar: TYPES.NChar, nvarchar: TYPES.NVarChar, binary: TYPES.Binary, varbinary: TYPES.VarBinary};
const INTEGERS = {TINYINT: TYPES.TinyInt, SMALLINT: TYPES.SmallInt, INT: TYPES.Int, BIGINT: TYPES.BigInt};
const OTHERS = {bit: TYPES.Bit, money: TYPES.Money, float: TYPES.Float, real: TYPES.Real, date: TYPES.Date, datetime: TYPES.DateTime, guid: TYPES.UniqueIdentifier};
const SCALED = {time: TYPES.Time, datetime2: TYPES.DateTime2, datetimeoffset: TYPES.DateTimeOffset};

function parameterType(t) {
  if (!t)
    return [TYPES.Int, {}];
  if (t.kind === 'integer')
    return [INTEGERS[t.sql], {}];
  if (t.kind === 'decimal')
    return [TYPES.Decimal, {precision: t.precision, scale: t.scale}];
  if (SCALED[t.kind])
    return [SCALED[t.kind], {scale: t.scale}];
  if (STRINGS[t.unit])
    return [STRINGS[t.unit], {length: t.length || Infinity}];
  return [OTHERS[t.kind], {}];
}

function open(database, password, encryption) {
  return new Promise((resolve, reject) => {
    const connection = new Connection({
      server: encryption ? 'localhost' : plan.host,
      authentication: {type: 'default', options: {userName: plan.user, password}},
      options: {port: plan.port, database, encrypt: false, connectTimeout: 20000, requestTimeout: 60000, ...encryption},
    });
    let told; // 4060 is followed by 18456, and only the last reaches the callback
    connection.on('errorMessage', message => {
      told = told || message;
    });
    connection.connect(error => {
      if (!error)
        return resolve(connection);
      const failure = new Error(told ? told.message : error.message);
      failure.number = told && told.number;
      reject(failure);
    });
  });
}

function close(connection) {
  return new Promise(resolve => {
    connection.once('end', resolve);
    connection.close();
  });
}

function start(connection, send, sql, parameters) {
  let request;
  const done = new Promise((resolve, reject) => {
    const sets = [];
    request = new Request(sql, (error, count) => error ? reject(error) : resolve({sets, count}));
    for (const p of parameters) {
      const [type, options] = parameterType(p.type);
      request.addParameter(p.name, type, p.value, options);
    }
    request.on('columnMetadata', () => sets.push([]));
    request.on('row', columns => sets[sets.length - 1].push(columns.map(c => c.value)));
    send(request);
  });
  return {request, done};
}

// Without parameters as a batch, so that USE and SET last.
function query(connection, sql, parameters) {
  const send = request => parameters.length ? connection.execSql(request) : connection.execSqlBatch(request);
  return start(connection, send, sql, parameters).done;
}

function transaction(connection, method) {
  return new Promise((resolve, reject) => {
    connection[method](error => error ? reject(error) : resolve(connection));
  });
}

run({
  open,
  openEncrypted: ca => open('master', plan.password, {port: plan.encrypted.port, encrypt: true, cryptoCredentialsDetails: ca ? {ca} : {}}),
  close,
  query,
  begin: connection => transaction(connection, 'beginTransaction'),
  commit: connection => transaction(connection, 'commitTransaction'),
  rollback: connection => transaction(connection, 'rollbackTransaction'),
  cancel(connection, sql) {
    const {done} = start(connection, request => connection.execSqlBatch(request), sql, []);
    setTimeout(() => connection.cancel(), 1000);
    return done;
  },
  async call(connection, procedure, parameter, value) {
    const parameters = [{name: parameter, type: {unit: 'nvarchar', length: 128}, value}];
    const {sets} = await start(connection, request => connection.callProcedure(request), procedure, parameters).done;
    return sets[0];
  },
  load(connection, table, rows) {
    return new Promise((resolve, reject) => {
      const load = connection.newBulkLoad(table, {keepNulls: true}, (error, count) => error ? reject(error) : resolve(count));
      load.addColumn('id', TYPES.Int, {nullable: false});
      load.addColumn('name', TYPES.NVarChar, {length: 50, nullable: true});
      load.addColumn('amount', TYPES.Float, {nullable: true});
      connection.execBulkLoad(load, rows);
    });
  },
  async prepared(connection, sql, values) {
    const found = [];
    let finished;
    const request = new Request(sql, error => finished(error));
    request.addParameter('a', TYPES.Int);
    request.on('row', columns => found.push(columns[0].value));
    const step = action => new Promise((resolve, reject) => {
      finished = error => error ? reject(error) : resolve();
      action();
    });
    await new Promise((resolve, reject) => {
      request.once('prepared', resolve);
      finished = error => error && reject(error);
      connection.prepare(request);
    });
    await new Promise(resolve => setImmediate(resolve));
    for (const a of values)
      await step(() => connection.execute(request, {a}));
    await step(() => connection.unprepare(request));
    return found;
  },
}).catch(e => {
  console.error(e);
  process.exitCode = 1;
});
