#include "tds-server/values/fault.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct fault_row {
    int number;
    int severity;
    int state;
    enum fault_effect effect;
    const char *text;
};

/* In the order of the numbers. */
static const struct fault_row fault_rows[] = {
    {102, 15, 1, FAULT_ENDS_BATCH, "Incorrect syntax near '%s'."},
    {103, 15, 4, FAULT_ENDS_BATCH, "The identifier that starts with '%s' is too long. Maximum length is 128."},
    {104, 15, 1, FAULT_ENDS_BATCH,
     "ORDER BY items must appear in the select list if the statement contains a UNION, INTERSECT or EXCEPT operator."},
    {105, 15, 1, FAULT_ENDS_BATCH, "Unclosed quotation mark after the character string '%s'."},
    {106, 15, 1, FAULT_ENDS_BATCH, "Too many table names in the query. The maximum allowable is %d."},
    {107, 15, 1, FAULT_ENDS_BATCH,
     "The column prefix '%s' does not match with a table name or alias name used in the query."},
    {108, 15, 1, FAULT_ENDS_BATCH, "The ORDER BY position number %d is out of range of the number of items in the select list."},
    {109, 15, 1, FAULT_ENDS_BATCH,
     "There are more columns in the INSERT statement than values specified in the VALUES clause. The number of values in "
     "the VALUES clause must match the number of columns specified in the INSERT statement."},
    {110, 15, 1, FAULT_ENDS_BATCH,
     "There are fewer columns in the INSERT statement than values specified in the VALUES clause. The number of values in "
     "the VALUES clause must match the number of columns specified in the INSERT statement."},
    {116, 16, 1, FAULT_ENDS_BATCH,
     "Only one expression can be specified in the select list when the subquery is not introduced with EXISTS."},
    {117, 15, 1, FAULT_ENDS_BATCH,
     "The object name '%s' contains more than the maximum number of prefixes. The maximum is 3."},
    {120, 15, 1, FAULT_ENDS_BATCH,
     "The select list for the INSERT statement contains fewer items than the insert list. The number of SELECT values must "
     "match the number of INSERT columns."},
    {121, 15, 1, FAULT_ENDS_BATCH,
     "The select list for the INSERT statement contains more items than the insert list. The number of SELECT values must "
     "match the number of INSERT columns."},
    {127, 15, 1, FAULT_ENDS_STATEMENT, "A TOP N or FETCH rowcount value may not be negative."},
    {130, 15, 1, FAULT_ENDS_BATCH,
     "Cannot perform an aggregate function on an expression containing an aggregate or a subquery."},
    {134, 15, 2, FAULT_ENDS_BATCH,
     "The variable name '%s' has already been declared. Variable names must be unique within a query batch or stored procedure."},
    {137, 15, 2, FAULT_ENDS_BATCH, "Must declare the scalar variable \"%s\"."},
    {141, 15, 1, FAULT_ENDS_BATCH,
     "A SELECT statement that assigns a value to a variable must not be combined with data-retrieval operations."},
    {145, 15, 1, FAULT_ENDS_BATCH, "ORDER BY items must appear in the select list if SELECT DISTINCT is specified."},
    {147, 15, 1, FAULT_ENDS_BATCH,
     "An aggregate may not appear in the WHERE clause unless it is in a subquery contained in a HAVING clause or a select "
     "list, and the column being aggregated is an outer reference."},
    {155, 15, 1, FAULT_ENDS_BATCH, "'%s' is not a recognized %s option."},
    {156, 15, 1, FAULT_ENDS_BATCH, "Incorrect syntax near the keyword '%s'."},
    {158, 15, 1, FAULT_ENDS_BATCH, "No column name was specified for column %d of '%s'."},
    {164, 15, 1, FAULT_ENDS_BATCH, "Each GROUP BY expression must contain at least one column that is not an outer reference."},
    {174, 15, 1, FAULT_ENDS_BATCH, "The %s function requires %d argument(s)."},
    {189, 15, 1, FAULT_ENDS_BATCH, "The %s function requires %d to %d arguments."},
    {191, 15, 1, FAULT_ENDS_BATCH,
     "Some part of your SQL statement is nested too deeply. Rewrite the query or break it up into smaller queries."},
    {194, 15, 1, FAULT_ENDS_BATCH, "A SELECT INTO statement cannot contain a SELECT statement that assigns values to a variable."},
    {195, 15, 10, FAULT_ENDS_BATCH, "'%s' is not a recognized %s."},
    {201, 16, 4, FAULT_ENDS_BATCH, "Procedure or function '%s' expects parameter '%s', which was not supplied."},
    {205, 16, 1, FAULT_ENDS_BATCH,
     "All queries combined using a UNION, INTERSECT or EXCEPT operator must have an equal number of expressions in their "
     "target lists."},
    {206, 16, 2, FAULT_ENDS_BATCH, "Operand type clash: %s is incompatible with %s"},
    {207, 16, 1, FAULT_ENDS_BATCH, "Invalid column name '%s'."},
    {208, 16, 1, FAULT_ENDS_BATCH, "Invalid object name '%s'."},
    {209, 16, 1, FAULT_ENDS_BATCH, "Ambiguous column name '%s'."},
    {213, 16, 1, FAULT_ENDS_BATCH, "Column name or number of supplied values does not match table definition."},
    {214, 16, 2, FAULT_ENDS_STATEMENT, "Procedure expects parameter '%s' of type '%s'."},
    {220, 16, 1, FAULT_ENDS_STATEMENT, "Arithmetic overflow error for data type %s, value = %s."},
    {226, 16, 6, FAULT_ENDS_BATCH, "%s statement not allowed within multi-statement transaction."},
    {229, 14, 5, FAULT_ENDS_STATEMENT, "The %s permission was denied on the object '%s', database '%s', schema '%s'."},
    {232, 16, 3, FAULT_ENDS_STATEMENT, "Arithmetic overflow error for type %s, value = %s."},
    {235, 16, 0, FAULT_ROLLS_BACK, "Cannot convert a char value to money. The char value has incorrect syntax."},
    {240, 16, 1, FAULT_ENDS_BATCH,
     "Types don't match between the anchor and the recursive part in column \"%s\" of recursive query \"%s\"."},
    {241, 16, 1, FAULT_ROLLS_BACK, "Conversion failed when converting date and/or time from character string."},
    {242, 16, 3, FAULT_ROLLS_BACK,
     "The conversion of a %s data type to a %s data type resulted in an out-of-range value."},
    {243, 16, 1, FAULT_ENDS_BATCH, "Type %s is not a defined system type."},
    {244, 16, 1, FAULT_ROLLS_BACK,
     "The conversion of the %s value '%s' overflowed an %s column. Use a larger integer column."},
    {245, 16, 1, FAULT_ROLLS_BACK, "Conversion failed when converting the %s value '%s' to data type %s."},
    {246, 16, 1, FAULT_ENDS_BATCH, "No anchor member was specified for recursive query \"%s\"."},
    {248, 16, 1, FAULT_ROLLS_BACK, "The conversion of the %s value '%s' overflowed an int column."},
    {252, 16, 1, FAULT_ENDS_BATCH, "Recursive common table expression '%s' does not contain a top-level UNION ALL operator."},
    {253, 16, 1, FAULT_ENDS_BATCH,
     "Recursive member of a common table expression '%s' has multiple recursive references."},
    {257, 16, 3, FAULT_ENDS_BATCH,
     "Implicit conversion from data type %s to %s is not allowed. Use the CONVERT function to run this query."},
    {260, 16, 1, FAULT_ENDS_BATCH,
     "Disallowed implicit conversion from data type %s to data type %s, table '%s', column '%s'. Use the CONVERT function "
     "to run this query."},
    {263, 16, 1, FAULT_ENDS_BATCH, "Must specify table to select from."},
    {264, 16, 1, FAULT_ENDS_BATCH,
     "The column name '%s' is specified more than once in the SET clause or column list of an INSERT. A column cannot be "
     "assigned more than one value in the same clause. Modify the clause to make sure that a column is updated only once."},
    {266, 16, 2, FAULT_ENDS_STATEMENT,
     "Transaction count after EXECUTE indicates a mismatching number of BEGIN and COMMIT statements."},
    {271, 16, 1, FAULT_ENDS_BATCH,
     "The column \"%s\" cannot be modified because it is either a computed column or is the result of a UNION operator."},
    {280, 16, 1, FAULT_ENDS_BATCH, "Only base table columns are allowed in the TEXTPTR function."},
    {281, 16, 1, FAULT_ENDS_STATEMENT, "%d is not a valid style number when converting from %s to a character string."},
    {402, 16, 1, FAULT_ENDS_BATCH, "The data types %s and %s are incompatible in the %s operator."},
    {403, 16, 1, FAULT_ENDS_BATCH, "Invalid operator for data type. Operator equals %s, type equals %s."},
    {447, 16, 1, FAULT_ENDS_BATCH, "Expression type %s is invalid for COLLATE clause."},
    {448, 16, 1, FAULT_ENDS_BATCH, "Invalid collation '%s'."},
    {451, 16, 1, FAULT_ENDS_BATCH,
     "Cannot resolve collation conflict between \"%s\" and \"%s\" in %s operator occurring in SELECT statement column %d."},
    {460, 16, 1, FAULT_ENDS_BATCH,
     "DISTINCT operator is not allowed in the recursive part of a recursive common table expression '%s'."},
    {461, 16, 1, FAULT_ENDS_BATCH,
     "TOP or OFFSET operator is not allowed in the recursive part of a recursive common table expression '%s'."},
    {462, 16, 1, FAULT_ENDS_BATCH,
     "Outer join is not allowed in the recursive part of a recursive common table expression '%s'."},
    {465, 16, 1, FAULT_ENDS_BATCH, "Recursive references are not allowed in subqueries."},
    {467, 16, 1, FAULT_ENDS_BATCH,
     "GROUP BY, HAVING, or aggregate functions are not allowed in the recursive part of a recursive common table expression '%s'."},
    {468, 16, 9, FAULT_ENDS_BATCH, "Cannot resolve the collation conflict between \"%s\" and \"%s\" in the %s operation."},
    {506, 16, 1, FAULT_ENDS_STATEMENT, "The invalid escape character \"%s\" was specified in a LIKE predicate."},
    {512, 16, 1, FAULT_ENDS_STATEMENT,
     "Subquery returned more than 1 value. This is not permitted when the subquery follows =, !=, <, <= , >, >= or when the "
     "subquery is used as an expression."},
    {515, 16, 2, FAULT_ENDS_STATEMENT,
     "Cannot insert the value NULL into column '%s', table '%s'; column does not allow nulls. %s fails."},
    {517, 16, 1, FAULT_ENDS_STATEMENT, "Adding a value to a '%s' column caused an overflow."},
    {529, 16, 2, FAULT_ENDS_BATCH, "Explicit conversion from data type %s to %s is not allowed."},
    {530, 16, 1, FAULT_ENDS_STATEMENT,
     "The statement terminated. The maximum recursion %d has been exhausted before statement completion."},
    {535, 16, 0, FAULT_ENDS_STATEMENT,
     "The %s function resulted in an overflow. The number of dateparts separating two date/time instances is too large. "
     "Try to use %s with a less precise datepart."},
    {536, 16, 1, FAULT_ENDS_STATEMENT, "Invalid length parameter passed to the %s function."},
    {537, 16, 3, FAULT_ENDS_STATEMENT, "Invalid length parameter passed to the LEFT or SUBSTRING function."},
    {544, 16, 1, FAULT_ENDS_STATEMENT,
     "Cannot insert explicit value for identity column in table '%s' when IDENTITY_INSERT is set to OFF."},
    {545, 16, 1, FAULT_ENDS_STATEMENT,
     "Explicit value must be specified for identity column in table '%s' either when IDENTITY_INSERT is set to ON or when a "
     "replication user is inserting into a NOT FOR REPLICATION identity column."},
    {547, 16, 0, FAULT_ENDS_STATEMENT,
     "The %s statement conflicted with the %s constraint \"%s\". The conflict occurred in database \"%s\", table \"%s\"%s."},
    {596, 21, 1, FAULT_ROLLS_BACK, "Cannot continue the execution because the session is in the kill state."},
    {628, 16, 0, FAULT_ENDS_STATEMENT, "Cannot issue SAVE TRANSACTION when there is no active transaction."},
    {701, 17, 123, FAULT_ROLLS_BACK, "There is insufficient system memory in resource pool 'default' to run this query."},
    {824, 24, 2, FAULT_ROLLS_BACK,
     "SQL Server detected a logical consistency-based I/O error in database '%s'. Restore it from a copy."},
    {911, 16, 1, FAULT_ENDS_BATCH, "Database '%s' does not exist. Make sure that the name is entered correctly."},
    {1007, 15, 1, FAULT_ENDS_BATCH, "The number '%s' is out of the range for numeric representation (maximum precision 38)."},
    {1011, 16, 1, FAULT_ENDS_BATCH, "The correlation name '%s' is specified multiple times in a FROM clause."},
    {1013, 16, 1, FAULT_ENDS_BATCH,
     "The objects \"%s\" and \"%s\" in the FROM clause have the same exposed names. Use correlation names to distinguish "
     "them."},
    {1031, 15, 1, FAULT_ENDS_STATEMENT, "Percent values must be between 0 and 100."},
    {1038, 15, 5, FAULT_ENDS_BATCH,
     "An object or column name is missing or empty. For SELECT INTO statements, verify each column has a name. For other "
     "statements, look for empty alias names. Aliases defined as \"\" or [] are not allowed. Change the alias to a valid name."},
    {1060, 16, 1, FAULT_ENDS_BATCH, "The number of rows provided for a TOP or FETCH clauses row count parameter must be an integer."},
    {1062, 15, 1, FAULT_ENDS_BATCH, "The TOP N WITH TIES clause is not allowed without a corresponding ORDER BY clause."},
    {1088, 16, 11, FAULT_ENDS_BATCH, "Cannot find the object \"%s\" because it does not exist or you do not have permissions."},
    {1105, 17, 2, FAULT_ROLLS_BACK,
     "Could not allocate space for object '%s' in database '%s' because the 'PRIMARY' filegroup is full. Create disk space "
     "by deleting unneeded files, dropping objects in the filegroup, adding additional files to the filegroup, or setting "
     "autogrowth on for existing files in the filegroup."},
    {1205, 13, 51, FAULT_ROLLS_BACK,
     "Transaction (Process ID %d) was deadlocked on lock resources with another process and has been chosen as the deadlock "
     "victim. Rerun the transaction."},
    {1222, 16, 51, FAULT_ENDS_STATEMENT, "Lock request time out period exceeded."},
    {1505, 16, 1, FAULT_ENDS_STATEMENT,
     "The CREATE UNIQUE INDEX statement terminated because a duplicate key was found for the object name '%s' and the index "
     "name '%s'. The duplicate key value is (%s)."},
    {1701, 16, 1, FAULT_ENDS_BATCH, "Creating or altering table '%s' failed because the minimum row size would be too large."},
    {1702, 16, 1, FAULT_ENDS_BATCH,
     "CREATE TABLE failed because column '%s' in table '%s' exceeds the maximum of %d columns."},
    {1750, 10, 0, FAULT_ENDS_BATCH, "Could not create constraint or index. See previous errors."},
    {1752, 16, 0, FAULT_ENDS_BATCH, "Column '%s' in table '%s' is invalid for creating a default constraint."},
    {1753, 16, 0, FAULT_ENDS_BATCH,
     "Column '%s.%s' is not the same length or scale as referencing column '%s.%s' in foreign key '%s'. Columns participating "
     "in a foreign key relationship must be defined with the same length and scale."},
    {1761, 16, 0, FAULT_ENDS_BATCH,
     "Cannot create the foreign key \"%s\" with the SET NULL referential action, because one or more referencing columns are not nullable."},
    {1767, 16, 0, FAULT_ENDS_BATCH, "Foreign key '%s' references invalid table '%s'."},
    {1769, 16, 1, FAULT_ENDS_BATCH, "Foreign key '%s' references invalid column '%s' in referencing table '%s'."},
    {1770, 16, 0, FAULT_ENDS_BATCH, "Foreign key '%s' references invalid column '%s' in referenced table '%s'."},
    {1773, 16, 0, FAULT_ENDS_BATCH, "Foreign key '%s' has implicit reference to object '%s' which does not have a primary key defined on it."},
    {1776, 16, 0, FAULT_ENDS_BATCH,
     "There are no primary or candidate keys in the referenced table '%s' that match the referencing column list in the "
     "foreign key '%s'."},
    {1778, 16, 0, FAULT_ENDS_BATCH,
     "Column '%s.%s' is not the same data type as referencing column '%s.%s' in foreign key '%s'."},
    {1779, 16, 0, FAULT_ENDS_BATCH, "Table '%s' already has a primary key defined on it."},
    {1781, 16, 1, FAULT_ENDS_BATCH, "Column already has a DEFAULT bound to it."},
    {1801, 16, 3, FAULT_ENDS_STATEMENT, "Database '%s' already exists. Choose a different database name."},
    {1802, 16, 4, FAULT_ENDS_STATEMENT, "CREATE DATABASE failed. Some file names listed could not be created. Check related errors."},
    {1904, 16, 1, FAULT_ENDS_BATCH, "The index '%s' on table '%s' has %d columns in the key list. The maximum limit for %s key column list is 32."},
    {1909, 16, 1, FAULT_ENDS_BATCH, "Cannot use duplicate column names in index. Column name '%s' listed more than once."},
    {1911, 16, 1, FAULT_ENDS_BATCH, "Column name '%s' does not exist in the target table or view."},
    {1913, 16, 1, FAULT_ENDS_STATEMENT, "The operation failed because an index or statistics with name '%s' already exists on table '%s'."},
    {1919, 16, 1, FAULT_ENDS_BATCH, "Column '%s' in table '%s' is of a type that is invalid for use as a key column in an index."},
    {1921, 16, 1, FAULT_ENDS_STATEMENT, "Invalid %s '%s' specified."},
    {2601, 14, 1, FAULT_ENDS_STATEMENT,
     "Cannot insert duplicate key row in object '%s' with unique index '%s'. The duplicate key value is (%s)."},
    {2627, 14, 1, FAULT_ENDS_STATEMENT,
     "Violation of %s constraint '%s'. Cannot insert duplicate key in object '%s'. The duplicate key value is (%s)."},
    {2628, 16, 1, FAULT_ENDS_STATEMENT,
     "String or binary data would be truncated in table '%s', column '%s'. Truncated value: '%s'."},
    {2702, 16, 2, FAULT_ENDS_BATCH, "Database '%s' does not exist."},
    {2705, 16, 3, FAULT_ENDS_BATCH,
     "Column names in each table must be unique. Column name '%s' in table '%s' is specified more than once."},
    {2714, 16, 6, FAULT_ENDS_BATCH, "There is already an object named '%s' in the database."},
    {2715, 16, 6, FAULT_ENDS_BATCH, "Column, parameter, or variable #%d: Cannot find data type %s."},
    {2742, 16, 1, FAULT_ENDS_STATEMENT, "SET DATEFIRST is out of range."},
    {2744, 16, 2, FAULT_ENDS_BATCH, "Multiple identity columns specified for table '%s'. Only one identity column per table is allowed."},
    {2747, 16, 1, FAULT_ENDS_STATEMENT, "Too many substitution parameters for RAISERROR. Cannot exceed %d substitution parameters."},
    {2748, 16, 1, FAULT_ENDS_STATEMENT, "Cannot specify %s data type (parameter 4) as a substitution parameter."},
    {2749, 16, 2, FAULT_ENDS_BATCH,
     "Identity column '%s' must be of data type int, bigint, smallint, tinyint, or decimal or numeric with a scale of 0, "
     "unencrypted, and constrained to be nonnullable."},
    {2760, 16, 1, FAULT_ENDS_BATCH, "The specified schema name \"%s\" either does not exist or you do not have permission to use it."},
    {2786, 16, 1, FAULT_ENDS_STATEMENT, "The data type of substitution parameter 1 does not match the expected type of the format specification."},
    {2787, 16, 1, FAULT_ENDS_STATEMENT, "Invalid format specification: '%s'."},
    {2812, 16, 62, FAULT_ENDS_STATEMENT, "Could not find stored procedure '%s'."},
    {3609, 16, 1, FAULT_ROLLS_BACK, "The transaction ended in the trigger. The batch has been aborted."},
    {3621, 0, 0, FAULT_ENDS_STATEMENT, "The statement has been terminated."},
    {3701, 11, 5, FAULT_ENDS_STATEMENT, "Cannot drop the %s '%s', because it does not exist or you do not have permission."},
    {3702, 16, 4, FAULT_ENDS_STATEMENT, "Cannot drop database \"%s\" because it is currently in use."},
    {3708, 16, 1, FAULT_ENDS_STATEMENT, "Cannot drop the %s '%s' because it is a system %s."},
    {3723, 16, 4, FAULT_ENDS_STATEMENT,
     "An explicit DROP INDEX is not allowed on index '%s'. It is being used for %s constraint enforcement."},
    {3725, 16, 0, FAULT_ENDS_STATEMENT, "The constraint '%s' is being referenced by table '%s', foreign key constraint '%s'."},
    {3726, 16, 1, FAULT_ENDS_STATEMENT, "Could not drop object '%s' because it is referenced by a FOREIGN KEY constraint."},
    {3727, 10, 0, FAULT_ENDS_STATEMENT, "Could not drop constraint. See previous errors."},
    {3728, 16, 1, FAULT_ENDS_STATEMENT, "'%s' is not a constraint."},
    {3902, 16, 1, FAULT_ENDS_STATEMENT, "The COMMIT TRANSACTION request has no corresponding BEGIN TRANSACTION."},
    {3903, 16, 1, FAULT_ENDS_STATEMENT, "The ROLLBACK TRANSACTION request has no corresponding BEGIN TRANSACTION."},
    {3930, 16, 1, FAULT_ENDS_BATCH,
     "The current transaction cannot be committed and cannot support operations that write to the log file. Roll back the "
     "transaction."},
    {3960, 16, 2, FAULT_ROLLS_BACK,
     "Snapshot isolation transaction aborted due to update conflict. Retry the transaction or change the isolation level "
     "for the update/delete statement."},
    {4060, 11, 1, FAULT_ENDS_BATCH, "Cannot open database \"%s\" requested by the login. The login failed."},
    {4104, 16, 1, FAULT_ENDS_BATCH, "The multi-part identifier \"%s\" could not be bound."},
    {4113, 15, 1, FAULT_ENDS_BATCH, "The function '%s' is not a valid windowing function, and cannot be used with the OVER clause."},
    {4121, 16, 1, FAULT_ENDS_BATCH, "Cannot find either column or the user-defined function or aggregate \"%s\", or the name is ambiguous."},
    {4145, 15, 1, FAULT_ENDS_BATCH, "An expression of non-boolean type specified in a context where a condition is expected, near '%s'."},
    {4104, 16, 1, FAULT_ENDS_BATCH, "The multi-part identifier \"%s\" could not be bound."},
    {4108, 15, 1, FAULT_ENDS_BATCH, "Windowed functions can only appear in the SELECT or ORDER BY clauses."},
    {4109, 15, 1, FAULT_ENDS_BATCH, "Windowed functions cannot be used in the context of another windowed function or aggregate."},
    {4112, 15, 1, FAULT_ENDS_BATCH, "The function '%s' must have an OVER clause with ORDER BY."},
    {4406, 16, 1, FAULT_ENDS_BATCH,
     "Update or insert of view or function '%s' failed because it contains a derived or constant field."},
    {4701, 16, 1, FAULT_ENDS_STATEMENT,
     "Cannot find the object \"%s\" because it does not exist or you do not have permissions."},
    {4712, 16, 1, FAULT_ENDS_STATEMENT, "Cannot truncate table '%s' because it is being referenced by a FOREIGN KEY constraint."},
    {4901, 16, 1, FAULT_ENDS_STATEMENT,
     "ALTER TABLE only allows columns to be added that can contain nulls, or have a DEFAULT definition specified, or the "
     "column being added is an identity or timestamp column, or alternatively if none of the previous conditions are "
     "satisfied the table must be empty to allow addition of this column. Column '%s' cannot be added to non-empty table "
     "'%s' because it does not satisfy these conditions."},
    {4902, 16, 1, FAULT_ENDS_STATEMENT,
     "Cannot find the object \"%s\" because it does not exist or you do not have permissions."},
    {4922, 16, 9, FAULT_ENDS_STATEMENT, "%s %s failed because one or more objects access this column."},
    {4923, 16, 1, FAULT_ENDS_STATEMENT, "ALTER TABLE DROP COLUMN failed because '%s' is the only data column in table '%s'."},
    {4924, 16, 1, FAULT_ENDS_STATEMENT, "%s failed because column '%s' does not exist in table '%s'."},
    {5074, 16, 1, FAULT_ENDS_STATEMENT, "The %s '%s' is dependent on %s '%s'."},
    {6401, 16, 1, FAULT_ENDS_STATEMENT, "Cannot roll back %s. No transaction or savepoint of that name was found."},
    {8102, 16, 1, FAULT_ENDS_BATCH, "Cannot update identity column '%s'."},
    {8101, 16, 1, FAULT_ENDS_BATCH,
     "An explicit value for the identity column in table '%s' can only be specified when a column list is used and "
     "IDENTITY_INSERT is ON."},
    {8106, 16, 1, FAULT_ENDS_STATEMENT,
     "Table '%s' does not have the identity property. Cannot perform SET operation."},
    {8107, 16, 1, FAULT_ENDS_STATEMENT,
     "IDENTITY_INSERT is already ON for table '%s'. Cannot perform SET operation for table '%s'."},
    {8110, 16, 0, FAULT_ENDS_BATCH, "Cannot add multiple PRIMARY KEY constraints to table '%s'."},
    {8111, 16, 1, FAULT_ENDS_BATCH, "Cannot define PRIMARY KEY constraint on nullable column in table '%s'."},
    {8112, 16, 0, FAULT_ENDS_BATCH, "Cannot add more than one clustered index for constraints on table '%s'."},
    {8114, 16, 5, FAULT_ROLLS_BACK, "Error converting data type %s to %s."},
    {8115, 16, 2, FAULT_ENDS_STATEMENT, "Arithmetic overflow error converting %s to data type %s."},
    {8116, 16, 1, FAULT_ENDS_BATCH, "Argument data type %s is invalid for argument %d of %s function."},
    {8117, 16, 1, FAULT_ENDS_BATCH, "Operand data type %s is invalid for %s operator."},
    {8120, 16, 1, FAULT_ENDS_BATCH,
     "Column '%s' is invalid in the select list because it is not contained in either an aggregate function or the GROUP BY "
     "clause."},
    {8121, 16, 1, FAULT_ENDS_BATCH,
     "Column '%s' is invalid in the HAVING clause because it is not contained in either an aggregate function or the GROUP "
     "BY clause."},
    {8127, 16, 1, FAULT_ENDS_BATCH,
     "Column \"%s\" is invalid in the ORDER BY clause because it is not contained in either an aggregate function or the "
     "GROUP BY clause."},
    {8133, 16, 1, FAULT_ENDS_BATCH, "At least one of the result expressions in a CASE specification must be an expression other than the NULL constant."},
    {8134, 16, 1, FAULT_ENDS_STATEMENT, "Divide by zero error encountered."},
    {8144, 16, 2, FAULT_ENDS_BATCH, "Procedure or function %s has too many arguments specified."},
    {8145, 16, 2, FAULT_ENDS_BATCH, "%s is not a parameter for procedure %s."},
    {8152, 16, 10, FAULT_ENDS_STATEMENT, "String or binary data would be truncated."},
    {8155, 16, 2, FAULT_ENDS_BATCH, "No column name was specified for column %d of '%s'."},
    {8156, 16, 1, FAULT_ENDS_BATCH, "The column '%s' was specified multiple times for '%s'."},
    {8158, 16, 1, FAULT_ENDS_BATCH, "'%s' has more columns than were specified in the column list."},
    {8159, 16, 1, FAULT_ENDS_BATCH, "'%s' has fewer columns than were specified in the column list."},
    {8169, 16, 2, FAULT_ROLLS_BACK, "Conversion failed when converting from a character string to uniqueidentifier."},
    {8170, 16, 2, FAULT_ENDS_STATEMENT, "Insufficient result space to convert uniqueidentifier value to char."},
    {8178, 16, 1, FAULT_ENDS_BATCH,
     "The parameterized query '%s' expects the parameter '%s', which was not supplied."},
    {8179, 16, 2, FAULT_ENDS_BATCH, "Could not find prepared statement with handle %d."},
    {8623, 16, 1, FAULT_ENDS_BATCH, "The query processor ran out of internal resources and could not produce a query plan."},
    {8630, 17, 1, FAULT_ROLLS_BACK, "Internal error: %s"},
    {8672, 16, 1, FAULT_ENDS_STATEMENT,
     "The statement attempted to UPDATE or DELETE the same row more than once."},
    {8733, 16, 1, FAULT_ENDS_BATCH, "Separator parameter for STRING_AGG must be a string literal or variable."},
    {9001, 21, 1, FAULT_ROLLS_BACK,
     "The log for database '%s' is not available. Check the operating system error log for related error messages. Resolve any "
     "errors and restart the database."},
    {9420, 16, 1, FAULT_ENDS_STATEMENT, "Illegal character in text: %s."},
    {9829, 16, 1, FAULT_ENDS_STATEMENT, "%s aggregation result exceeded the limit of 8000 bytes. Use LOB types to avoid result truncation."},
    {10738, 15, 1, FAULT_ENDS_BATCH,
     "The number of row value expressions in the INSERT statement exceeds the maximum allowed number of 1000 row values."},
    {10741, 15, 2, FAULT_ENDS_BATCH, "A TOP can not be used in the same query or sub-query as a OFFSET."},
    {10742, 15, 1, FAULT_ENDS_STATEMENT, "The offset specified in a OFFSET clause may not be negative."},
    {10744, 15, 1, FAULT_ENDS_STATEMENT,
     "The number of rows provided for a FETCH clause must be greater then zero."},
    {10709, 16, 1, FAULT_ENDS_BATCH, "The number of columns for each row in a table value constructor must be the same."},
    {11555, 16, 1, FAULT_ENDS_BATCH, "The parameter '%s' has been declared as NOT NULL."},
    {35100, 16, 10, FAULT_ENDS_BATCH,
     "Error number %d in the THROW statement is outside the valid range. Specify an error number in the valid range of 50000 to "
     "2147483647."},
    {40510, 16, 1, FAULT_ENDS_BATCH, "Statement '%s' is not supported by this server."},
    {FAULT_UNSUPPORTED, 16, 1, FAULT_ENDS_BATCH, "'%s' is not supported by this server."},
};

static const struct fault_row *find_row(int number)
{
    for (size_t i = 0; i < sizeof fault_rows / sizeof fault_rows[0]; i++) {
        if (fault_rows[i].number == number)
            return &fault_rows[i];
    }
    return NULL;
}

/* Appends as much of `text` as fits, whole characters only. */
static size_t append(char *out, size_t at, const char *text)
{
    size_t len = strlen(text);
    size_t room = FAULT_MAX_TEXT - 1 - at;
    if (len > room) {
        len = room;
        while (len > 0 && ((unsigned char)text[len] & 0xC0) == 0x80)
            len--;
    }
    memcpy(out + at, text, len);
    return at + len;
}

int fault_set(struct fault *f, int number, ...)
{
    if (f->number != 0)
        return -1;
    const struct fault_row *row = find_row(number);
    f->number = number;
    f->severity = row ? row->severity : 16;
    f->state = row ? row->state : 1;
    f->line = 0;
    va_list args;
    va_start(args, number);
    size_t at = 0;
    for (const char *p = row ? row->text : ""; *p != '\0'; p++) {
        char piece[16] = {*p, '\0'};
        const char *text = piece;
        if (p[0] == '%' && p[1] == 's') {
            text = va_arg(args, const char *);
            p++;
        } else if (p[0] == '%' && p[1] == 'd') {
            snprintf(piece, sizeof piece, "%d", va_arg(args, int));
            p++;
        }
        at = append(f->text, at, text);
    }
    va_end(args);
    f->text[at] = '\0';
    return -1;
}

int fault_set_text(struct fault *f, int number, int severity, int state, int line, const char *text)
{
    if (f->number != 0)
        return -1;
    f->number = number;
    f->severity = severity;
    f->state = state;
    f->line = line;
    f->text[append(f->text, 0, text)] = '\0';
    return -1;
}

void fault_clear(struct fault *f)
{
    f->number = 0;
    f->line = 0;
    f->text[0] = '\0';
}

enum fault_effect fault_effect(const struct fault *f)
{
    const struct fault_row *row = find_row(f->number);
    return row ? row->effect : FAULT_ENDS_STATEMENT;
}
