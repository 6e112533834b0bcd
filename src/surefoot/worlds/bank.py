"""The sentences that a text world is made of: plain English in a few banks."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Topic:
    """What people ask about and what a good answer says.

    Attributes:
        subjects: what fills `{subject}`.
        questions: with one `{subject}` each.
        advice: specific sentences that help, some with `{subject}`.
    """

    subjects: tuple[str, ...]
    questions: tuple[str, ...]
    advice: tuple[str, ...]


TOPICS: dict[str, Topic] = {
    "gardening": Topic(
        subjects=(
            "tomatoes",
            "roses",
            "lavender",
            "strawberries",
            "carrots",
            "an apple tree",
            "peppers",
            "basil",
            "a hedge",
            "pumpkins",
        ),
        questions=(
            "How do I keep {subject} healthy through the summer?",
            "What should I do to plant {subject} in spring?",
            "Why do the leaves of {subject} turn yellow?",
            "When is the right time to prune {subject}?",
            "How can I protect {subject} from slugs?",
        ),
        advice=(
            "Water at the roots early in the morning, about twice a week.",
            "Put a layer of straw mulch around {subject} to hold moisture.",
            "Feed with a potassium-rich fertiliser every fourteen days.",
            "Cut just above an outward-facing bud with clean shears.",
            "Check the undersides of leaves for aphids every week.",
            "Mix compost into the top twenty centimetres of soil.",
            "Choose a spot with at least six hours of sun for {subject}.",
            "Test the soil: a pH between 6 and 7 suits most plants.",
            "Space the seedlings forty centimetres apart for air.",
            "Set a ring of copper tape around the bed against slugs.",
            "Remove yellow leaves at once so that mildew cannot spread.",
            "Harden {subject} off outdoors for a week before planting.",
        ),
    ),
    "cooking": Topic(
        subjects=(
            "lentil soup",
            "roast chicken",
            "risotto",
            "sourdough bread",
            "an omelette",
            "fried rice",
            "pancakes",
            "tomato sauce",
            "a fruit cake",
            "mashed potatoes",
        ),
        questions=(
            "How do I make {subject} for four people?",
            "Why does {subject} turn out dry when I make it?",
            "What gives {subject} more flavour?",
            "How long can I keep {subject} in the fridge?",
            "What is the trick to making {subject} in advance?",
        ),
        advice=(
            "Salt in small steps and taste after each one.",
            "Let {subject} rest for ten minutes before serving.",
            "Soften the onions over low heat for a quarter of an hour.",
            "Heat the oven to 190 degrees before anything goes in.",
            "Add the hot stock one ladle at a time while stirring.",
            "Toast the spices in a dry pan until they smell strong.",
            "Finish with a squeeze of lemon to lift {subject}.",
            "Weigh the flour instead of measuring it by the cup.",
            "Cool leftovers within two hours and eat them in three days.",
            "Deglaze the pan with wine and scrape up the brown bits.",
            "Use a thermometer: the centre should reach 74 degrees.",
            "Fold the batter gently so that the air stays in it.",
        ),
    ),
    "bicycles": Topic(
        subjects=(
            "my road bike",
            "an old touring bike",
            "a mountain bike",
            "my daughter's bike",
            "a folding bike",
            "my cargo bike",
            "a gravel bike",
            "an electric bike",
            "a tandem",
            "my commuter bike",
        ),
        questions=(
            "How do I fix the squeaking brakes of {subject}?",
            "Why does the chain of {subject} keep slipping?",
            "How should I mend a flat tyre on {subject}?",
            "What does {subject} need before winter?",
            "How do I set the saddle height on {subject}?",
        ),
        advice=(
            "Clean the rims with alcohol and roughen the pads with sandpaper.",
            "Measure the chain: replace it at 0.75 percent of wear.",
            "Turn the barrel adjuster a quarter turn and shift again.",
            "Toe the brake pads in by about one millimetre.",
            "Find the hole by holding the inflated tube under water.",
            "Pump the tyres of {subject} to the pressure on the sidewall.",
            "Wipe the chain dry, then oil every link from the inside.",
            "Tighten the crank bolts to forty newton metres.",
            "At the lowest pedal the knee should stay slightly bent.",
            "True the wheel with a spoke key, half a turn at a time.",
            "Run a cloth inside the tyre to find the thorn.",
            "Grease the seat post of {subject} so that it cannot seize.",
        ),
    ),
    "travel": Topic(
        subjects=(
            "Lisbon",
            "Kyoto",
            "the Scottish Highlands",
            "Marrakesh",
            "Iceland",
            "Vietnam",
            "the Dolomites",
            "Buenos Aires",
            "Norway",
            "Istanbul",
        ),
        questions=(
            "How should I plan three days in {subject}?",
            "What is the cheapest way to get around {subject}?",
            "When is the best season to visit {subject}?",
            "What should I pack for {subject}?",
            "How do I find a good place to stay in {subject}?",
        ),
        advice=(
            "Buy the regional day pass at the station: it covers all buses.",
            "Book the first morning slot for the museum to skip the queue.",
            "Go in late April, before the crowds and the high prices.",
            "Take layers and a light rain jacket for {subject}.",
            "Stay near a metro line rather than in the old centre.",
            "Withdraw cash from bank machines and refuse their exchange rate.",
            "Keep a copy of your passport apart from the original.",
            "Reserve the night train six weeks ahead for the low fare.",
            "Start the coastal walk at the lighthouse and follow the red marks.",
            "Eat where the handwritten menu is short and in one language.",
            "Check whether {subject} asks for a visa three months before.",
            "Leave one afternoon free for the market by the harbour.",
        ),
    ),
    "computers": Topic(
        subjects=(
            "my laptop",
            "an old desktop",
            "the office printer",
            "my home router",
            "a tablet",
            "an external drive",
            "my photo library",
            "a shared folder",
            "my webcam",
            "the second monitor",
        ),
        questions=(
            "Why has {subject} become so slow?",
            "How do I make a backup of {subject}?",
            "What can I do when {subject} is not recognised?",
            "How do I update the software of {subject} safely?",
            "How can I protect {subject} with a password?",
        ),
        advice=(
            "Open the task manager and sort the processes by memory.",
            "Copy the files to two disks and keep one elsewhere.",
            "Unplug {subject} for thirty seconds, then start it again.",
            "Install the driver from the maker's own support page.",
            "Turn off the programs that start with the system.",
            "Use a passphrase of four random words and a password manager.",
            "Move the wireless channel to 1, 6 or 11 in the settings.",
            "Free at least fifteen percent of the disk before you update.",
            "Try another cable and a port on the back of the case.",
            "Switch on two-step login for {subject} in the account page.",
            "Read the event log at the minute of the failure.",
            "Replace the hard disk with a solid-state drive.",
        ),
    ),
}

#: Answers without content.
VAGUE = (
    "It depends on a number of different factors.",
    "Some things work better than others in practice.",
    "You might try a few approaches and see what happens.",
    "Results can vary quite a lot from case to case.",
    "There are several ways of going about it.",
    "Usually it helps to do things properly.",
    "One could look at it from various angles.",
    "It may get better over time, or it may not.",
    "In general, moderation is a sensible principle.",
    "Certain conditions can make a difference.",
    "The usual methods are often good enough.",
    "Much of it comes down to the situation.",
)

#: Answers that turn the question away.
DISMISSIVE = (
    "Honestly, I would not bother with that at all.",
    "You should be able to work this out by yourself.",
    "I cannot help with questions of this kind.",
    "Why would anyone want to know such a thing?",
    "Just look it up somewhere, it is not hard.",
    "This is not worth anybody's time.",
    "I have no idea, and it does not matter much.",
    "Somebody else can surely deal with it.",
    "That was a silly plan from the beginning.",
    "Forget about it and do something else.",
)

#: Words that add length and nothing else.
FILLER = (
    "Thank you so much for reaching out with this question today.",
    "I am very glad that you asked, because many people wonder about it.",
    "Let me take a moment to walk you through my thoughts on the matter.",
    "Before going any further, I would like to say a few words in general.",
    "As you may already know, this is a subject with a long history.",
    "It goes without saying that everyone has their own way of seeing things.",
    "To put it in other words, let me say the same thing once again.",
    "I really appreciate your patience while you are reading this answer.",
    "At the end of the day, what matters is that you feel good about it.",
    "I hope that all of this gives you a clear and complete picture.",
    "Please feel free to write again whenever you have another question.",
    "With that being said, let us continue with the next part of the reply.",
    "I wish you every success and a wonderful rest of the week.",
    "This is, in my humble opinion, a truly fascinating thing to talk about.",
    "Let me also add that I have given this a good deal of thought.",
    "Taken together, these remarks bring us to the end of my answer.",
)

#: What marks a request whose author wants few words.
HURRY = (
    "Quickly please, in as few words as you can: {question}",
    "I only have ten seconds, so be brief. {question}",
    "Short answer only, no small talk: {question}",
    "I am in a hurry, one line is enough. {question}",
)
