"""Which drawing suits a title: a word of the product's slug, and the drawing that shows it.

Within the motif of a category the last such word decides, the longest if two end together: a camera bag is a bag.
"""

from collections.abc import Mapping
from types import MappingProxyType

from shop.catalog.pictures.motifs import (
    clothes,
    cookware,
    cosmetics,
    devices,
    food,
    furniture,
    gadgets,
    garden,
    jewellery,
    kitchen,
    lights,
    linen,
    outdoors,
    pantry,
    pets,
    play,
    rooms,
    sports,
    stationery,
    tableware,
    toys,
    wear,
)
from shop.catalog.pictures.motifs.pen import Motif

NOUNS: Mapping[str, Mapping[Motif, str]] = MappingProxyType(
    {
        "pump": {
            cosmetics.cream_pot: "face-cream clay-mask",
            wear.pump: "cleanser",
            cosmetics.dropper: "serum face-oil",
            cosmetics.cap_bottle: "toner",
            cosmetics.tube: "eye-cream",
        },
        "bottle": {
            wear.pump: "shampoo",
            cosmetics.cap_bottle: "conditioner",
            cosmetics.cream_pot: "hair-mask scalp-scrub",
            cosmetics.dropper: "hair-oil",
            cosmetics.tube: "styling-cream",
            cosmetics.spray_can: "dry-shampoo",
            food.bottle: "apple-juice ginger-cordial lemonade elderflower-presse tonic-water grape-juice rhubarb-soda",
        },
        "soap": {
            rooms.soap: "soap-bar",
            wear.pump: "hand-wash body-lotion",
            cosmetics.cap_bottle: "shower-gel",
            cosmetics.cream_pot: "body-scrub",
            cosmetics.tube: "hand-cream",
            food.jar: "bath-salts",
        },
        "perfume": {
            wear.perfume: "eau-de-parfum eau-de-toilette cologne",
            cosmetics.dropper: "perfume-oil",
            cosmetics.round_tin: "solid-perfume",
            lights.spray_bottle: "body-mist",
            cosmetics.vials: "discovery-set",
        },
        "brush": {
            cosmetics.razor: "razor",
            wear.brush: "shaving-brush",
            cosmetics.dropper: "beard-oil",
            cosmetics.comb: "comb",
            cosmetics.nail_kit: "nail-kit",
            cosmetics.tube: "shaving-cream",
            cosmetics.hair_clipper: "hair-clipper",
        },
        "book": {
            devices.book: "mysteries short-stories ghost-stories love-stories sea-tales fables adventures cookbook"
            " baking-book bread-book soup-book preserving-book supper-book picnic-book picture-book board-book"
            " story-collection alphabet-book nursery-rhymes animal-book sound-book",
        },
        "notebook": {
            devices.notebook: "notebook sketchbook journal planner reporters-pad address-book exercise-book",
        },
        "pen": {
            devices.pen: "fountain-pen rollerball ballpoint-pen brush-pen mechanical-pencil",
            stationery.pencils: "pencil-set fineliner-set",
        },
        "card": {
            devices.card: "birthday-card thank-you-cards",
            stationery.postcards: "postcard-set",
            stationery.wrapping_paper: "wrapping-paper",
            stationery.gift_tags: "gift-tags",
            stationery.advent_calendar: "advent-calendar",
            stationery.sticker_sheet: "sticker-sheet",
        },
        "shirt": {
            wear.shirt: "t-shirt shirt polo-shirt",
            clothes.long_sleeves: "long-sleeved-top blouse henley",
            clothes.vest: "vest",
        },
        "trousers": {
            wear.trousers: "jeans chinos wide-leg-trousers work-trousers joggers",
            clothes.shorts: "shorts culottes",
        },
        "jumper": {
            wear.jumper: "jumper roll-neck guernsey",
            clothes.cardigan: "cardigan knitted-jacket",
            clothes.knitted_vest: "sweater-vest",
            clothes.hooded_jumper: "hooded-jumper",
        },
        "shoe": {
            wear.shoe: "trainers walking-shoes plimsolls",
            clothes.boot: "boots",
            clothes.slip_on_shoe: "loafers slippers",
            clothes.sandal: "sandals",
        },
        "bag": {
            wear.bag: "tote-bag",
            wear.backpack: "backpack",
            clothes.scarf: "scarf",
            clothes.beanie: "beanie",
            clothes.belt: "belt",
            clothes.wallet: "wallet",
            clothes.satchel: "crossbody-bag",
        },
        "headphones": {
            devices.headphones: "headphones on-ear-headphones over-ear-headphones",
            gadgets.earbuds: "earbuds in-ear-monitors sleep-buds",
            gadgets.headset: "headset",
        },
        "phone": {
            devices.phone: "phone-case",
            gadgets.charger: "charger",
            gadgets.cable: "charging-cable",
            gadgets.power_bank: "power-bank",
            gadgets.car_mount: "car-mount",
            gadgets.screen_protector: "screen-protector",
            gadgets.wireless_charger: "wireless-charger",
        },
        "speaker": {
            devices.speaker: "speaker party-speaker",
            gadgets.soundbar: "soundbar",
            gadgets.radio: "radio",
            gadgets.turntable: "turntable",
            gadgets.subwoofer: "subwoofer",
            gadgets.amplifier: "amplifier",
        },
        "keyboard": {
            devices.keyboard: "keyboard",
            gadgets.mouse: "mouse",
            gadgets.webcam: "webcam",
            gadgets.docking_station: "docking-station",
            gadgets.laptop_stand: "laptop-stand",
            gadgets.monitor_light: "monitor-light",
            gadgets.external_drive: "external-drive",
        },
        "camera": {
            devices.camera: "camera",
            gadgets.lens: "lens",
            gadgets.tripod: "tripod",
            gadgets.binoculars: "binoculars",
            gadgets.action_camera: "action-camera",
            clothes.satchel: "camera-bag",
            gadgets.telescope: "telescope",
        },
        "beans": {
            food.beans: "espresso-beans filter-coffee ground-coffee cold-brew-blend breakfast-coffee mocha-blend",
            pantry.coffee_pods: "coffee-pods",
        },
        "teapot": {pantry.tea_box: "green-tea black-tea herbal-infusion earl-grey chai oolong mint-tea"},
        "chocolate": {
            food.chocolate: "chocolate-bar",
            pantry.pralines: "truffles pralines caramels nougat",
            pantry.cocoa_tin: "drinking-chocolate",
            pantry.sweets_bag: "chocolate-almonds",
        },
        "jar": {
            food.jar: "honey apricot-jam wholegrain-mustard sea-salt-flakes",
            pantry.oil_bottle: "olive-oil",
            pantry.passata_bottle: "tomato-passata",
            pantry.pasta_bag: "fusilli",
        },
        "chair": {
            rooms.chair: "dining-chair",
            furniture.bar_stool: "bar-stool",
            furniture.armchair: "armchair",
            furniture.office_chair: "office-chair",
            furniture.rocking_chair: "rocking-chair",
            furniture.step_stool: "step-stool",
            furniture.bench: "bench",
        },
        "table": {
            rooms.table: "dining-table console-table",
            furniture.coffee_table: "coffee-table",
            furniture.pedestal_table: "side-table bistro-table",
            furniture.bedside_table: "bedside-table",
            furniture.nest_of_tables: "nest-of-tables",
        },
        "sofa": {
            rooms.sofa: "two-seater-sofa sofa-bed loveseat",
            furniture.three_seater: "three-seater-sofa",
            furniture.corner_sofa: "corner-sofa",
            furniture.footstool: "footstool",
            furniture.daybed: "daybed",
        },
        "shelf": {
            rooms.shelf: "bookcase",
            furniture.wall_shelf: "wall-shelf",
            furniture.ladder_shelf: "ladder-shelf",
            furniture.sideboard: "sideboard",
            furniture.shoe_rack: "shoe-rack",
            furniture.coat_stand: "coat-stand",
            furniture.storage_box: "storage-box",
        },
        "desk": {
            rooms.desk: "writing-desk standing-desk corner-desk wall-desk",
            furniture.monitor_stand: "monitor-stand",
            furniture.drawer_unit: "drawer-unit",
            furniture.desk_organiser: "desk-organiser",
        },
        "plant": {
            outdoors.plant: "monstera rubber-plant peace-lily boston-fern",
            garden.bladed_plant: "snake-plant spider-plant",
            garden.small_tree: "olive-tree",
        },
        "pot": {
            outdoors.pot: "plant-pot planter herb-planter",
            garden.window_box: "window-box",
            garden.hanging_basket: "hanging-basket",
            garden.saucer: "saucer",
            garden.watering_can: "watering-can",
        },
        "seeds": {
            garden.tomato_seeds: "tomato-seeds",
            outdoors.seeds: "wildflower-mix sunflower-seeds",
            garden.bulbs: "tulip-bulbs",
            garden.leaf_seeds: "basil-seeds salad-mix",
            garden.bean_seeds: "runner-beans",
        },
        "trowel": {
            outdoors.trowel: "trowel",
            garden.secateurs: "secateurs",
            garden.spade: "spade",
            garden.hand_fork: "hand-fork",
            garden.rake: "rake",
            garden.hoe: "hoe",
            clothes.gloves: "garden-gloves",
        },
        "tool": {
            outdoors.tool: "hammer",
            garden.screwdriver: "screwdriver-set",
            garden.spanner: "spanner-set",
            garden.saw: "hand-saw",
            garden.spirit_level: "spirit-level",
            garden.pliers: "pliers",
            garden.chisel: "chisel-set",
        },
        "lamp": {
            rooms.lamp: "table-lamp",
            lights.floor_lamp: "floor-lamp",
            lights.pendant_light: "pendant-light",
            lights.desk_lamp: "desk-lamp reading-lamp",
            lights.wall_light: "wall-light",
            lights.night_light: "night-light",
        },
        "candle": {
            rooms.candle: "scented-candle",
            lights.pillar_candles: "pillar-candle",
            lights.reed_diffuser: "reed-diffuser",
            lights.tea_lights: "tea-light-set",
            lights.spray_bottle: "room-spray",
            lights.incense: "incense-set",
            lights.wax_melts: "wax-melt",
        },
        "cushion": {
            rooms.cushion: "cushion floor-cushion seat-pad",
            linen.blanket: "throw blanket bedspread",
            linen.bolster: "bolster",
        },
        "bed": {
            rooms.bed: "duvet-cover fitted-sheet duvet bed-set",
            linen.pillow: "pillowcase-pair pillow",
            linen.mattress: "mattress-topper",
        },
        "towel": {
            kitchen.towel: "bath-towel hand-towel guest-towel washcloth hair-towel",
            linen.bath_mat: "bath-mat",
            linen.bathrobe: "bathrobe",
            linen.tablecloth: "tablecloth",
            linen.napkins: "napkin-set",
            linen.table_runner: "table-runner",
            linen.tea_towel: "tea-towel",
            linen.apron: "apron",
            linen.oven_glove: "oven-glove",
            linen.placemats: "placemat-set",
        },
        "mug": {
            kitchen.mug: "mug latte-mug stacking-mug",
            tableware.cup_and_saucer: "espresso-cup cappuccino-cup",
            tableware.tea_bowl: "tea-bowl",
            sports.travel_cup: "travel-cup",
        },
        "plate": {
            kitchen.plate: "dinner-plate side-plate",
            tableware.bowl: "pasta-bowl cereal-bowl soup-bowl",
            tableware.platter: "serving-platter",
            tableware.dip_dish: "dip-dish",
        },
        "pan": {
            cookware.frying_pan: "frying-pan",
            cookware.saucepan: "saucepan",
            cookware.casserole: "casserole",
            cookware.wok: "wok",
            cookware.griddle: "griddle",
            cookware.stockpot: "stockpot",
            cookware.roasting_tin: "roasting-tin",
        },
        "knife": {
            kitchen.knife: "chefs-knife paring-knife bread-knife santoku carving-knife utility-knife",
            tableware.knife_set: "steak-knife-set",
        },
        "paw": {
            pets.collar: "dog-collar",
            pets.lead: "dog-lead",
            pets.pet_bed: "dog-bed",
            pets.bone: "chew-toy",
            pets.dog_treats: "dog-treats",
            play.paw: "dog-bowl",
            pets.dog_coat: "dog-coat",
        },
        "cat": {
            pets.scratching_post: "scratching-post",
            pets.pet_bed: "cat-bed",
            pets.cat_treats: "cat-treats",
            pets.feather_toy: "feather-toy",
            pets.cat_tree: "cat-tree",
            play.paw: "cat-bowl",
            pets.toy_mouse: "catnip-mouse",
        },
        "gem": {
            jewellery.necklace: "necklace pendant",
            wear.gem: "ring",
            jewellery.hoop_earrings: "hoop-earrings",
            jewellery.bracelet: "bracelet anklet",
            jewellery.stud_earrings: "stud-earrings",
        },
        "watch": {
            wear.watch: "watch divers-watch field-watch chronograph dress-watch",
            jewellery.pocket_watch: "pocket-watch",
            jewellery.digital_watch: "digital-watch",
        },
        "tent": {
            outdoors.tent: "tent",
            sports.sleeping_bag: "sleeping-bag",
            sports.camping_stove: "camping-stove",
            sports.rolled_mat: "sleeping-mat",
            sports.lantern: "lantern",
            sports.camp_chair: "camp-chair",
            sports.hammock: "hammock",
        },
        "backpack": {
            wear.backpack: "daypack",
            clothes.jacket: "rain-jacket",
            sports.trekking_poles: "trekking-poles",
            clothes.socks: "hiking-socks",
            clothes.gaiters: "gaiters",
            clothes.sun_hat: "sun-hat",
            sports.map_case: "map-case",
        },
        "dumbbell": {
            sports.rolled_mat: "yoga-mat",
            sports.kettlebell: "kettlebell",
            sports.resistance_bands: "resistance-band-set",
            sports.foam_roller: "foam-roller",
            outdoors.dumbbell: "dumbbell-pair",
            sports.skipping_rope: "skipping-rope",
            sports.yoga_block: "yoga-block",
        },
        "flask": {
            kitchen.flask: "water-bottle thermos-flask kids-bottle filter-bottle",
            sports.travel_cup: "travel-mug",
            sports.food_flask: "food-flask",
            sports.hip_flask: "hip-flask",
        },
        "bicycle": {
            sports.bike_light: "bike-light",
            sports.saddle: "saddle",
            sports.helmet: "helmet",
            sports.pannier: "pannier",
            clothes.gloves: "cycling-gloves",
            sports.multi_tool: "multi-tool",
            sports.track_pump: "track-pump",
        },
        "ball": {
            outdoors.ball: "football",
            sports.basketball: "basketball",
            sports.boules: "boules-set",
            sports.badminton: "badminton-set",
            sports.frisbee: "frisbee",
            sports.skittles: "skittles",
            sports.volleyball: "volleyball",
        },
        "blocks": {
            play.blocks: "building-blocks",
            toys.train: "train-set",
            toys.shape_sorter: "shape-sorter",
            toys.pull_along_dog: "pull-along-dog",
            toys.play_kitchen: "play-kitchen",
            toys.marble_run: "marble-run",
            toys.rocking_horse: "rocking-horse",
        },
        "bear": {
            play.bear: "bear",
            toys.rabbit: "rabbit",
            toys.elephant: "elephant",
            toys.comfort_blanket: "comfort-blanket",
            toys.fox: "fox",
            toys.hand_puppet: "hand-puppet",
            toys.whale: "sleepy-whale",
        },
        "puzzle": {
            play.puzzle: "100-piece-puzzle 500-piece-puzzle 1000-piece-puzzle floor-puzzle map-puzzle",
            toys.puzzle_cube: "3d-puzzle brain-teaser",
        },
        "dice": {
            toys.board_game: "board-game",
            toys.playing_cards: "card-game memory-game quiz",
            play.dice: "dice-game",
            toys.letter_tiles: "word-game tile-game",
        },
        "paint": {
            toys.craft_kit: "craft-kit",
            devices.paint: "paint-set",
            toys.crayons: "crayons",
            toys.modelling_clay: "modelling-set",
            toys.sewing_kit: "sewing-kit",
            toys.origami: "origami-set",
            toys.stamps: "stamp-set",
        },
    }
)
"""Motif of a category to its drawings, each with the nouns whose products it shows."""


def drawing_of(motif: str, slug: str) -> Motif | None:
    """Return the drawing that a product's slug names.

    Args:
        motif: of the category.
        slug: of the product.

    Returns:
        None if no word of the slug is a noun of the motif.
    """
    words, found = f"-{slug}-", (-1, 0)
    suitable: Motif | None = None
    for drawing, nouns in NOUNS.get(motif, {}).items():
        for noun in nouns.split():
            start = words.rfind(f"-{noun}-")
            if start >= 0 and (start + len(noun), len(noun)) > found:
                suitable, found = drawing, (start + len(noun), len(noun))
    return suitable
