"""Cases about the order of calls: a shop where nearly all take the same steps, beside the formats of agents.py."""

from datetime import timedelta

from agents import FORMATS
from world import World, iso

SHOPPERS = 50
STEPS = {"list": ("GET", "/products", 14_000), "see": ("GET", "/products/{n}", 3_000),
         "add": ("POST", "/cart/items", 300), "cart": ("GET", "/cart", 1_200),
         "price": ("GET", "/checkout/price", 450), "confirm": ("POST", "/checkout/confirm", 700),
         "order": ("GET", "/orders/{n}", 1_600), "home": ("GET", "/", 9_000)}


class Shop:
    """Sessions of people who look, put things into their cart, see the price and confirm."""

    def __init__(self, seed, habit=lambda name, hour: Shop.usual):
        self.world = World(seed, per_role=0)
        self.rng = self.world.rng
        self.shoppers = [self.world.add(f"shopper-{index + 1:02}", [], 0) for index in range(SHOPPERS)]
        for hour in self.world.hours():
            for shopper in self.shoppers:
                if self.rng.random() < 0.5:
                    habit(shopper.name, hour)(self, shopper, hour + timedelta(seconds=self.rng.randrange(1_800)))

    def walk(self, shopper, at, steps, session=None, pause=(2_000, 25_000), **more):
        """The steps one after another, as one session."""
        session = session or f"{self.rng.getrandbits(64):016x}"
        for step in steps:
            method, path, size = STEPS[step]
            path = path.replace("{n}", str(self.rng.randrange(100, 9_999)))
            self.world.call(shopper, at, method, path, size, 200, session=session, **more)
            at += timedelta(milliseconds=self.rng.randrange(*pause))

    def look(self):
        steps = ["home", "list"]
        for _ in range(self.rng.randrange(1, 5)):
            steps += ["see"] + (["list"] if self.rng.random() < 0.5 else [])
        return steps

    def usual(self, shopper, at):
        steps = self.look()
        for _ in range(self.rng.choice([0, 1, 1, 2])):
            steps += ["see", "add", "cart", "price", "confirm"]
            steps += ["confirm"] if self.rng.random() < 0.01 else []  # a double click
            steps += ["order", "list"]
        self.walk(shopper, at, steps)

    def without_price(self, shopper, at):
        """What a deploy may make of it: the price stands in the cart now."""
        steps = self.look()
        for _ in range(self.rng.choice([0, 1, 1, 2])):
            steps += ["see", "add", "cart", "confirm", "order", "list"]
        self.walk(shopper, at, steps)

    def shopper(self, number):
        return self.shoppers[number - 1]


def save(keep, kind, name, world, form, who=None):
    calls = sorted(world.calls, key=lambda call: call["at"])
    lines = [(FORMATS[form](call), call["attack"]) for call in calls]
    if kind == "benign":
        return keep("sequence", kind, name, lines)
    at = [call["at"] for call in calls if call["attack"]]
    keep("sequence", kind, name, lines, principal=who, marker=who,
         earliest=iso(at[0] - timedelta(seconds=1)), latest=iso(at[-1] + timedelta(minutes=60)))


def sequence(keep):
    shop = Shop(1401)
    at = shop.world.at(2, 13, 5)
    shop.walk(shop.shopper(7), at, ["see", "add", "confirm"] * 18, attack=True)
    save(keep, "attack", "confirms_without_the_price", shop.world, "canonical", "shopper-07")

    shop = Shop(1402)
    at = shop.world.at(2, 10, 2)
    shop.walk(shop.shopper(23), at, ["home"] + ["confirm"] * 15, attack=True)
    save(keep, "attack", "confirms_again_and_again", shop.world, "kong", "shopper-23")

    shop = Shop(1403)
    at = shop.world.at(2, 15, 1)
    mixed = [step for _ in range(12) for step in ("order", "home", "price", "see", "cart", "list", "add")]
    for index in range(0, len(mixed), 7):
        part = mixed[index:index + 7]
        shop.rng.shuffle(part)
        mixed[index:index + 7] = part
    shop.walk(shop.shopper(41), at, mixed, attack=True)
    save(keep, "attack", "goes_through_the_shop_at_random", shop.world, "generic", "shopper-41")

    shop = Shop(1411)
    at = shop.world.at(2, 13, 5)
    shop.walk(shop.shopper(7), at, ["see", "add", "cart", "price", "confirm", "order", "list"] * 40, pause=(500, 9_000))
    save(keep, "benign", "forty_orders_in_the_usual_order", shop.world, "canonical")

    def partner(name, hour):
        return (lambda shop, who, at: shop.walk(who, at, ["add", "confirm"] * shop.rng.randrange(3, 12))
                if name == "shopper-07" else Shop.usual(shop, who, at))

    shop = Shop(1412, partner)  # a partner's system has never asked for the price
    save(keep, "benign", "a_partner_never_asks_for_the_price", shop.world, "kong")

    shop = Shop(1413, lambda name, hour: Shop.without_price if hour.day > 15 else Shop.usual)
    save(keep, "benign", "a_deploy_takes_the_price_away", shop.world, "canonical")

    def crawler(name, hour):
        def wander(shop, who, at):
            shop.walk(who, at, [shop.rng.choice(["home", "list", "see", "cart", "order"]) for _ in range(50)])
        return wander if name == "shopper-41" else Shop.usual

    shop = Shop(1414, crawler)
    save(keep, "benign", "has_always_gone_at_random", shop.world, "generic")
