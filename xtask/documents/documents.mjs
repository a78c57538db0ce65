// Holds an OpenAPI and an AsyncAPI document against the schemas that their own projects publish; exits 1 with what is wrong.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { Validator } from "@seriousme/openapi-schema-validator";

const require = createRequire(import.meta.url);
const read = (file) => JSON.parse(readFileSync(file, "utf8"));
const [openapi, asyncapi] = process.argv.slice(2).map(read);
const wrong = [];

const outcome = await new Validator().validate(openapi);
if (!outcome.valid) wrong.push(["OpenAPI", outcome.errors]);
if (!openapi.openapi?.startsWith("3.1.")) wrong.push(["OpenAPI", `is of version ${openapi.openapi}`]);

// Its schema is of draft 07, and its own copies of other schemas have names that a strict reader does not know.
const Ajv = require("ajv");
const ajv = new (Ajv.default ?? Ajv)({ strict: false, allErrors: false, validateFormats: false });
const schema = require("@asyncapi/specs/schemas/3.0.0-without-$id.json");
const holds = ajv.compile(schema);
if (!holds(asyncapi)) wrong.push(["AsyncAPI", holds.errors]);

// Every reference leads somewhere, in its own document or in the other.
const documents = { "": null, "./openapi.json": openapi };
const lookFor = (document, value, place) => {
  if (value === null || typeof value !== "object") return;
  if (typeof value.$ref === "string") {
    const [where, pointer] = value.$ref.split("#");
    const start = where === "" ? document : documents[where];
    const steps = pointer.split("/").slice(1).map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
    if (steps.reduce((found, step) => found?.[step], start) === undefined) wrong.push([place, `${value.$ref} leads nowhere`]);
  }
  for (const [name, inner] of Object.entries(value)) lookFor(document, inner, `${place}/${name}`);
};
lookFor(openapi, openapi, "OpenAPI ");
lookFor(asyncapi, asyncapi, "AsyncAPI ");

for (const [what, why] of wrong) console.error(what, JSON.stringify(why, null, 1).slice(0, 4000));
process.exit(wrong.length === 0 ? 0 : 1);
