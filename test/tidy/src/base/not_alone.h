// rule: header
#ifndef SK_BASE_NOT_ALONE_H
#define SK_BASE_NOT_ALONE_H
uint32_t sk_not_alone(void);
#endif
