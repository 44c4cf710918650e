// An intrusive, doubly linked, circular list. The head is a node too; an empty list's head points to itself.
#ifndef SK_BASE_LIST_H
#define SK_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

typedef struct sk_list {
    struct sk_list *next;
    struct sk_list *previous;
} sk_list;

static inline void sk_list_init(sk_list *head)
{
    head->next = head->previous = head;
}

static inline bool sk_list_empty(const sk_list *head)
{
    return head->next == head;
}

static inline void sk_list_push_back(sk_list *head, sk_list *node)
{
    node->previous = head->previous;
    node->next = head;
    head->previous->next = node;
    head->previous = node;
}

static inline void sk_list_push_front(sk_list *head, sk_list *node)
{
    sk_list_push_back(head->next, node);
}

// The node is left linked to itself, so removing it twice is harmless.
static inline void sk_list_remove(sk_list *node)
{
    node->previous->next = node->next;
    node->next->previous = node->previous;
    sk_list_init(node);
}

#define SK_CONTAINER(pointer, type, member) ((type *)(void *)((char *)(pointer) - offsetof(type, member)))

#endif
