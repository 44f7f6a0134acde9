/* SPDX-License-Identifier: BSD-2-Clause */
/* The battery clock (MC146818). */
#include "kernel/x86/x86.h"

#define RTC_INDEX 0x70
#define RTC_DATA  0x71

#define RTC_SECONDS 0x00
#define RTC_MINUTES 0x02
#define RTC_HOURS   0x04
#define RTC_DAY     0x07
#define RTC_MONTH   0x08
#define RTC_YEAR    0x09
#define RTC_A       0x0a
#define RTC_B       0x0b

#define A_UPDATING 0x80
#define B_BINARY   0x04
#define B_24_HOURS 0x02
#define HOUR_PM    0x80

#define RTC_TRIES 5000 /* an update takes about 2 ms */

struct rtc_time {
	unsigned second, minute, hour, day, month, year;
};

static uint8_t rtc_reg(uint8_t reg)
{
	outb(RTC_INDEX, reg);
	return inb(RTC_DATA);
}

static struct rtc_time rtc_read_raw(void)
{
	return (struct rtc_time){
		.second = rtc_reg(RTC_SECONDS),
		.minute = rtc_reg(RTC_MINUTES),
		.hour = rtc_reg(RTC_HOURS),
		.day = rtc_reg(RTC_DAY),
		.month = rtc_reg(RTC_MONTH),
		.year = rtc_reg(RTC_YEAR),
	};
}

/* Read until no update lies in between: two readings agree. */
static bool rtc_read_stable(struct rtc_time *t)
{
	for (unsigned i = 0; i < RTC_TRIES; i++) {
		uint8_t a = rtc_reg(RTC_A);

		if (a == 0xff) /* no such device */
			return false;
		if (a & A_UPDATING)
			continue;
		*t = rtc_read_raw();
		struct rtc_time again = rtc_read_raw();

		if (again.second == t->second && again.minute == t->minute &&
		    again.hour == t->hour && again.day == t->day)
			return true;
	}
	return false;
}

static unsigned from_bcd(unsigned v)
{
	return (v >> 4) * 10 + (v & 15);
}

static void rtc_decode(struct rtc_time *t)
{
	uint8_t b = rtc_reg(RTC_B);
	bool pm = !(b & B_24_HOURS) && (t->hour & HOUR_PM);

	if (!(b & B_24_HOURS))
		t->hour &= ~HOUR_PM;
	if (!(b & B_BINARY)) {
		t->second = from_bcd(t->second);
		t->minute = from_bcd(t->minute);
		t->hour = from_bcd(t->hour);
		t->day = from_bcd(t->day);
		t->month = from_bcd(t->month);
		t->year = from_bcd(t->year);
	}
	if (!(b & B_24_HOURS))
		t->hour = t->hour % 12 + (pm ? 12 : 0);
	t->year += 2000;
}

/* Days from 1970-01-01 to a date of the Gregorian calendar (Howard Hinnant's days_from_civil). */
static uint64_t days_since_1970(unsigned year, unsigned month, unsigned day)
{
	unsigned y = month <= 2 ? year - 1 : year;
	unsigned era = y / 400;
	unsigned year_of_era = y - era * 400;
	unsigned day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
	unsigned day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

	return era * 146097ull + day_of_era - 719468;
}

bool rtc_read_ns(uint64_t *out)
{
	struct rtc_time t;

	if (!rtc_read_stable(&t))
		return false;
	rtc_decode(&t);
	if (t.month < 1 || t.month > 12 || t.day < 1 || t.day > 31 || t.hour > 23 ||
	    t.minute > 59 || t.second > 59)
		return false;
	uint64_t seconds = days_since_1970(t.year, t.month, t.day) * 86400 + t.hour * 3600 +
			   t.minute * 60 + t.second;

	*out = seconds * 1000000000ull;
	return true;
}
