// Turns the values of the form's fields into the JSON to send. Leaves out empty fields if they are optional.

// Returns a value of the prepared schema without the members that were not filled in.
export function filledIn(value, schema) {
  const branch = schema.anyOf ? branchFor(value, schema.anyOf) : schema;
  if (branch?.type === "object" && branch.properties && isObject(value)) return members(value, branch);
  if (branch?.type === "array" && Array.isArray(value)) {
    const first = branch.prefixItems ?? [];
    return value.map((each, index) => item(each, first[index] ?? branch.items ?? {}));
  }
  return value;
}

// An item of a list cannot be left out, so an empty text field becomes an empty text.
function item(value, schema) {
  return value === null && schema.type === "string" && !schema["x-nullable"] ? "" : filledIn(value, schema);
}

function members(value, schema) {
  const kept = Object.entries(value)
    .filter(([name, each]) => each !== null || tellsNull(schema.properties[name], schema.required.includes(name)))
    .map(([name, each]) => [name, filledIn(each, schema.properties[name] ?? {})]);
  return Object.fromEntries(kept);
}

// Returns true if null has to be sent: null is allowed, and leaving it out would not mean the same.
function tellsNull(schema, required) {
  if (!schema) return true;
  const takesNull = schema["x-nullable"] || schema.type === "null" || schema.anyOf?.some((each) => each.type === "null");
  return Boolean(takesNull) && (required || (schema.default ?? null) !== null);
}

function branchFor(value, branches) {
  const fitting = branches.filter((each) => fits(value, each.type));
  const names = isObject(value) ? Object.keys(value) : [];
  return fitting.find((each) => names.every((name) => name in (each.properties ?? {}))) ?? fitting[0];
}

function fits(value, type) {
  if (value === null) return type === "null";
  if (Array.isArray(value)) return type === "array";
  if (type === "integer" || type === "number") return typeof value === "number";
  return typeof value === type;
}

function isObject(value) {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}
