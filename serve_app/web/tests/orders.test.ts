import { beforeEach, expect, test } from "vitest";
import { Orders } from "../src/client/orders";

let said: string[];
let orders: Orders;
const put = (what: string | number) => orders.put(what, () => said.push(`${what}`));
const back = () => {
  orders.resumed();
  orders.caughtUp();
};

beforeEach(() => {
  said = [];
  orders = new Orders();
});

test("after a break, what nobody confirmed is ordered again", () => {
  put("item_1");
  put(3);
  back();
  expect(said).toEqual(["item_1", "3"]);
});

test("what was done, or is told to have been done meanwhile, is not", () => {
  put("item_1");
  put(2);
  put(3);
  orders.stopped(2);
  orders.resumed();
  orders.added("item_1");
  orders.stopped(3);
  orders.caughtUp();
  expect(said).toEqual([]);
  expect(orders.length).toBe(0);
});

test("a sign of life alone repeats nothing, and neither does another conversation", () => {
  put(1);
  orders.caughtUp();
  orders.forget();
  back();
  expect(said).toEqual([]);
});

test("an order that is given twice is one", () => {
  put(1);
  put(1);
  back();
  expect(said).toEqual(["1"]);
});
