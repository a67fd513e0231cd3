"""One route of demo traffic a file, and the list of them."""

from shadow.training.example import Task
from shadow.training.tasks import chat, codes, listing, order, refusal, tools

TASKS: dict[str, Task] = {
    "order": order.make,
    "tools": tools.make,
    "codes": codes.make,
    "chat": chat.make,
    "refusal": refusal.make,
    "list": listing.make,
}
